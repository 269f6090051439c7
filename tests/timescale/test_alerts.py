"""The history of alerts: deliveries of Alertmanager, samples of Prometheus, notes, silences."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from fix_fleet import fleet_error

MASTER = uuid.UUID(int=1)
LABELS = {"alertname": "GpuHot", "node": "alpha", "severity": "critical"}


def before(**ago):
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


def deliver(fleet, status="firing", starts=None, ends=None, receiver="critical-mail", **labels):
    """Tell of one alert as the control API does."""
    alert = {
        "status": status,
        "labels": LABELS | labels,
        "annotations": {"summary": "A GPU is too hot."},
        "startsAt": starts or before(minutes=10),
        "endsAt": ends or "0001-01-01T00:00:00Z",
    }
    return fleet.rows(
        "SELECT * FROM control.record_alerts(%s, %s)",
        receiver, json.dumps([alert]), user="fleet_control",
    )[0]  # fmt: skip


def seen(state="firing", since=None, **labels):
    """One alert as a sample has it."""
    return {
        "labels": LABELS | labels,
        "summary": "A GPU is too hot.",
        "state": state,
        "since": since or before(minutes=10),
    }


def sample(fleet, *alerts, evaluated_at=None, rules=("GpuHot",)):
    """Keep what Prometheus says of rules whose alerts are these; return how many changed."""
    epoch = fleet.value("SELECT fleet.lead(%s)", MASTER, user="fleet_master")
    told = [
        {
            "alertname": rule,
            "evaluated_at": evaluated_at or before(),
            "alerts": [alert for alert in alerts if alert["labels"]["alertname"] == rule],
        }
        for rule in rules
    ]
    return fleet.value(
        "SELECT fleet.sample_alerts(%s, %s, %s)",
        MASTER, epoch, json.dumps(told), user="fleet_master",
    )  # fmt: skip


def history(fleet, *columns):
    rows = fleet.rows("SELECT * FROM analytics.alerts ORDER BY time", user="fleet_analyst")
    return [tuple(row[column] for column in columns) for row in rows]


def test_alert_that_nobody_is_told_of_is_in_the_history(fleet):
    """What is silenced or inhibited fires for Prometheus alone: no receiver, not delivered."""
    changed = [sample(fleet, seen()), sample(fleet, seen()), sample(fleet)]

    assert changed == [1, 0, 1]
    assert history(fleet, "state", "source", "was_delivered", "receivers") == [
        ("resolved", "prometheus", False, [])
    ]


@pytest.mark.parametrize("is_sample_first", [True, False])
def test_delivery_and_sample_are_one_row(fleet, is_sample_first):
    """Whichever comes first; the beginning is that which Alertmanager was told."""
    starts = before(minutes=4)
    steps = [lambda: sample(fleet, seen(since=before(minutes=5))),
             lambda: deliver(fleet, starts=starts)]  # fmt: skip
    for step in steps if is_sample_first else reversed(steps):
        step()

    assert history(fleet, "state", "source", "was_delivered", "time") == [
        ("firing", "both", True, datetime.fromisoformat(starts))
    ]


def test_pending_alert_fires_or_is_forgotten(fleet):
    """It is pending until it has lasted; one that never fires leaves nothing."""
    pending, fired = before(minutes=2), before(minutes=1)
    changed = [sample(fleet, seen("pending", pending), seen("pending", pending, gpu="1"))]
    states = [history(fleet, "state", "time")]
    changed.append(sample(fleet, seen(since=fired)))
    states.append(history(fleet, "state", "time"))

    at, later = datetime.fromisoformat(pending), datetime.fromisoformat(fired)
    assert states == [[("pending", at), ("pending", at)], [("firing", later)]]
    assert changed == [0, 1]


def test_alert_that_is_pending_anew_has_ended(fleet):
    """Between two samples it was over: two times, not one long one."""
    sample(fleet, seen())
    sample(fleet, seen("pending", before(seconds=20)))

    assert history(fleet, "state") == [("resolved",), ("pending",)]


def test_delivery_makes_a_pending_alert_fire(fleet):
    """Alertmanager may know before the next sample does."""
    sample(fleet, seen("pending", before(minutes=2)))
    told = deliver(fleet, starts=before(minutes=1))

    assert told == {"opened": 1, "ended": 0}
    assert history(fleet, "state", "source") == [("firing", "both")]


def test_silent_rule_ends_nothing(fleet):
    """A Prometheus that has just started knows no alert until its rules were evaluated."""
    sample(fleet, seen(), evaluated_at=before(minutes=1))
    started = sample(fleet, evaluated_at="0001-01-01T00:00:00Z")
    older = sample(fleet, evaluated_at=before(minutes=2))

    assert (started, older) == (0, 0)
    assert history(fleet, "state") == [("firing",)]
    assert sample(fleet) == 1


def test_alert_without_its_rule_has_ended(fleet):
    """A rule that was taken out fires no more."""
    sample(fleet, seen())

    assert sample(fleet, rules=("CpuHot",)) == 1
    assert history(fleet, "state") == [("resolved",)]


def test_sample_ends_nothing_that_it_never_had(fleet):
    """Alerts of other programs reach Alertmanager past Prometheus."""
    deliver(fleet)

    assert sample(fleet) == 0
    assert history(fleet, "state", "source") == [("firing", "alertmanager")]


def test_end_is_that_of_alertmanager(fleet):
    """A sample sees the end some seconds late; the delivery says when it was."""
    ends = before(seconds=20)
    sample(fleet, seen(), evaluated_at=before(minutes=1))
    deliver(fleet)
    sample(fleet)
    deliver(fleet, "resolved", ends=ends)

    assert history(fleet, "state", "ended_at") == [("resolved", datetime.fromisoformat(ends))]


def test_alert_that_alertmanager_gave_up_fires_on(fleet):
    """Prometheus could not reach it for minutes; to Prometheus the alert was never over."""
    since = before(minutes=10)
    deliver(fleet, "resolved", starts=since, ends=before(minutes=5))

    assert sample(fleet, seen(since=since)) == 1
    assert history(fleet, "state") == [("firing",)]


def test_word_of_an_end_beats_a_sample_of_before(fleet):
    """A sample that was read before the end, and written after it, changes nothing."""
    since = before(minutes=10)
    deliver(fleet, "resolved", starts=since, ends=before(seconds=1))

    assert sample(fleet, seen(since=since)) == 0
    assert history(fleet, "state") == [("resolved",)]


def test_samples_are_for_the_leader_of_the_term(fleet):
    """Another master's sample, or one of the term before, is refused."""
    epoch = fleet.value("SELECT fleet.lead(%s)", MASTER, user="fleet_master")
    for who, term in ((uuid.uuid4(), epoch), (MASTER, epoch - 1)):
        with fleet_error("does not lead term", sqlstate="FL002"):
            fleet.rows("SELECT fleet.sample_alerts(%s, %s, '[]')", who, term, user="fleet_master")


def test_each_delivery_is_kept(fleet):
    """Who was told, when, of what; a repeat is a delivery more and no alert more."""
    deliver(fleet)
    deliver(fleet)
    deliver(fleet, receiver="critical-sms")
    deliver(fleet, "resolved", ends=before(minutes=1))

    told = fleet.rows(
        "SELECT receiver, status FROM analytics.alert_deliveries ORDER BY delivery_id",
        user="fleet_grafana",
    )
    assert [tuple(row.values()) for row in told] == [
        ("critical-mail", "firing"), ("critical-mail", "firing"), ("critical-sms", "firing"),
        ("critical-mail", "resolved"),
    ]  # fmt: skip
    assert len(history(fleet, "state")) == 1


def only_alert(fleet):
    return fleet.value("SELECT alert_id FROM control.alerts")


def test_alert_is_taken_on_once(fleet):
    """The history says by whom and when; who comes second is told who was first."""
    deliver(fleet)
    args = [only_alert(fleet), "ada", "on my way"]
    fleet.rows("SELECT control.acknowledge_alert(%s, %s, %s)", *args, user="fleet_control")
    with fleet_error("acknowledged already, by ada", sqlstate="55000"):
        fleet.rows("SELECT control.acknowledge_alert(%s, 'ben', NULL)", args[0])
    fleet.rows("SELECT control.comment_alert(%s, 'ben', 'a fan')", args[0], user="fleet_control")

    assert history(fleet, "acknowledged_by", "comment") == [("ada", "a fan")]
    notes = fleet.rows("SELECT kind, author, comment FROM analytics.alert_notes ORDER BY note_id")
    assert [tuple(row.values()) for row in notes] == [
        ("acknowledgement", "ada", "on my way"), ("comment", "ben", "a fan"),
    ]  # fmt: skip


def test_what_is_over_is_commented_only(fleet):
    """Nobody can take on an alert that has ended, or one that is not there."""
    deliver(fleet, "resolved", ends=before(minutes=1))
    alert = only_alert(fleet)
    with fleet_error("does not fire", "A comment can be added", sqlstate="55000"):
        fleet.rows("SELECT control.acknowledge_alert(%s, 'ada', NULL)", alert)
    fleet.rows("SELECT control.comment_alert(%s, 'ada', 'a fan')", alert)
    for function in ("acknowledge_alert", "comment_alert"):
        with fleet_error("no alert", sqlstate="P0002"):
            fleet.rows(f"SELECT control.{function}(0, 'ada', 'x')")

    assert history(fleet, "acknowledged_at", "comment") == [(None, "a fan")]


def test_matchers_of_an_alert_outlive_its_target(fleet):
    """They are its labels without address and job: a restart must not unmute it."""
    deliver(fleet, gpu="0", instance="10.0.0.7:9835", job="fleet-node")
    told = fleet.value("SELECT control.match_alert(%s)", only_alert(fleet), user="fleet_control")

    assert [(each["name"], each["value"]) for each in told] == [
        ("alertname", "GpuHot"), ("gpu", "0"), ("node", "alpha"), ("severity", "critical"),
    ]  # fmt: skip


def test_matchers_are_two_at_least(fleet):
    """Of an alert that has a name and nothing else: those of no machine."""
    sample(fleet, {**seen(), "labels": {"alertname": "GpuHot"}})
    told = fleet.value("SELECT control.match_alert(%s)", only_alert(fleet))

    assert [(each["name"], each["value"]) for each in told] == [
        ("alertname", "GpuHot"),
        ("node", ""),
    ]


def test_what_is_over_is_not_silenced(fleet):
    """A silence for an alert that has ended would mute the next one unawares."""
    deliver(fleet, "resolved", ends=before(minutes=1))
    with fleet_error("does not fire any more", sqlstate="55000"):
        fleet.rows("SELECT control.match_alert(%s)", only_alert(fleet))
    with fleet_error("no alert 0", sqlstate="P0002"):
        fleet.rows("SELECT control.match_alert(0)")


def put_silence(fleet, starts="0 s", ends="1 h", matchers=None):
    silence = uuid.uuid4()
    matchers = matchers or [("alertname", "GpuHot", False, True), ("node", "alpha", False, True)]
    named = [dict(zip(("name", "value", "isRegex", "isEqual"), m, strict=True)) for m in matchers]
    fleet.rows(
        "SELECT control.record_silence(%s, %s, 'ada', 'a fan is on its way',"
        " now() + %s::interval, now() + %s::interval, NULL)",
        silence, json.dumps(named), starts, ends, user="fleet_control",
    )  # fmt: skip
    return silence


def silences(fleet, *columns):
    rows = fleet.rows("SELECT * FROM analytics.silences ORDER BY time", user="fleet_grafana")
    return [tuple(row[column] for column in columns) for row in rows]


def test_silence_says_who_and_what(fleet):
    """Matchers as Alertmanager writes them; alert and machine where one is named."""
    matchers = [
        ("alertname", 'A"B', False, True), ("node", "pi.*", True, False),
        ("gpu", "0|1", True, True), ("mount", "/", False, False),
    ]  # fmt: skip
    put_silence(fleet, matchers=matchers)

    assert silences(fleet, "matchers", "alertname", "node", "owner", "reason") == [
        (r'alertname="A\"B", node!~"pi.*", gpu=~"0|1", mount!="/"', 'A"B', None, "ada",
         "a fan is on its way"),
    ]  # fmt: skip


def test_silence_has_its_time(fleet):
    """It waits, it mutes, it ends by itself."""
    put_silence(fleet, "-2 h", "-1 h")
    put_silence(fleet)
    put_silence(fleet, "1 h", "2 h")

    assert silences(fleet, "state") == [("ended",), ("active",), ("pending",)]


def test_silence_is_ended_once(fleet):
    """Who did it and why is kept; afterwards there is nothing to end."""
    silence, over = put_silence(fleet), put_silence(fleet, "-2 h", "-1 h")
    end = "SELECT control.end_silence(%s, %s, 'repaired')"
    fleet.rows(end, silence, "ben", user="fleet_control")
    for which, said in ((silence, "ended already, by ben"), (over, "has ended by itself")):
        with fleet_error(said, sqlstate="55000"):
            fleet.rows(end, which, "eve")
    with fleet_error("no silence", sqlstate="P0002"):
        fleet.rows(end, uuid.uuid4(), "eve")

    assert silences(fleet, "state", "ended_by", "end_reason") == [
        ("ended", None, None), ("ended", "ben", "repaired"),
    ]  # fmt: skip


def test_noise_is_counted_by_day(fleet):
    """Times, seconds of each day, notifications, short ones, the median to acknowledgement."""
    fleet.rows("""
        WITH alerts AS (INSERT INTO control.alerts (labels, summary, started_at, ended_at)
          SELECT %s, '', s::timestamptz, e::timestamptz FROM (VALUES
            ('2026-01-30T23:00Z', '2026-01-31T01:00Z'), ('2026-01-31T12:00Z', '2026-01-31T12:04Z'),
            ('2026-01-31T13:00Z', '2026-01-31T13:20Z'), ('2026-01-31T14:00Z', '2026-01-31T14:10Z')
          ) AS a (s, e) RETURNING alert_id, started_at),
        told AS (INSERT INTO control.alert_deliveries (alert_id, time, receiver, status)
          SELECT alert_id, started_at + interval '1 h', 'mail', 'firing' FROM alerts)
        INSERT INTO control.alert_notes (alert_id, time, kind, author)
          SELECT alert_id, started_at + n * interval '1 min', 'acknowledgement', 'ada'
          FROM (SELECT *, row_number() OVER (ORDER BY started_at) AS n FROM alerts) a WHERE n > 1
    """, json.dumps(LABELS))  # fmt: skip
    sample(fleet, seen("pending"))

    rows = fleet.rows("SELECT * FROM analytics.alert_noise ORDER BY day", user="fleet_grafana")
    assert [tuple(row.values())[1:] for row in rows] == [
        ("GpuHot", "critical", 1, 3600.0, 0, 0, 0, None),
        ("GpuHot", "critical", 3, 3600.0 + 34 * 60, 4, 1, 3, 180.0),
    ]
