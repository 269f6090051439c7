"""What the master takes from Prometheus for the history of alerts, and what when it is away."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from fleet_orchestrator.alert_sample import (
    BYTES_MAX,
    AlertSampler,
    SampleError,
    parse_rules,
    read_rules,
)
from fleet_orchestrator.fleet_metrics import FleetCollector
from fleet_orchestrator.master import Master
from fleet_orchestrator.rounds import NOTHING

URL = "http://me:pw7@prometheus:9090"


def answer(*rules):
    return json.dumps({"status": "success", "data": {"groups": [{"rules": list(rules)}]}}).encode()


def rule(*alerts, name="GpuHot", duration=0):
    return {"type": "alerting", "name": name, "duration": duration, "alerts": list(alerts),
            "lastEvaluation": "2026-01-31T12:10:00.123456789+01:00"}  # fmt: skip


def alert(state="firing", active="2026-01-31T12:00:00.123456789Z", **labels):
    return {
        "labels": {"alertname": "GpuHot", "node": "alpha", **labels},
        "annotations": {"summary": "A GPU is\ttoo hot."},
        "state": state,
        "activeAt": active,
        "value": "1e+00",
    }


def test_rule_says_what_fires_since_when():
    """An alert fires once its condition has lasted; recording rules say nothing."""
    told = parse_rules(
        answer({"type": "recording"}, rule(alert(), alert("pending", gpu="1"), duration=60))
    )

    (found,) = told
    assert (found["alertname"], found["evaluated_at"][:16]) == ("GpuHot", "2026-01-31T12:10")
    assert [(a["state"], a["since"][:16], a["summary"]) for a in found["alerts"]] == [
        ("firing", "2026-01-31T12:01", "A GPU is too hot."),
        ("pending", "2026-01-31T12:00", "A GPU is too hot."),
    ]


def test_one_alert_of_two_rules_fires():
    """What one rule fires and another is about to is the same alert to everybody else."""
    told = parse_rules(answer(rule(alert("pending")), rule(alert())))

    assert [[a["state"] for a in each["alerts"]] for each in told] == [[], ["firing"]]


def test_alert_for_programs_is_no_history():
    """The watchdog always fires, so that its absence is news: it is none of people's alerts."""
    watchdog = rule(alert(severity="none"), name="Watchdog") | {"labels": {"severity": "none"}}

    assert [each["alertname"] for each in parse_rules(answer(watchdog, rule()))] == ["GpuHot"]


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[]", b'{"data": {"groups": [{}]}}', answer(rule({"labels": {}})),
     answer(rule(alert(active="yesterday"))), answer(rule(alert(gpu=0)))],
    ids=["empty", "page", "list", "group", "alert", "time", "label"],
)  # fmt: skip
def test_other_answers_are_no_sample(content):
    """What does not speak as Prometheus does is one error, not a history without alerts."""
    with pytest.raises(SampleError, match="not that of a Prometheus"):
        parse_rules(content)


@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (lambda _: httpx2.Response(503), "answered 503"),
        (lambda _: httpx2.Response(200, content=b" " * (BYTES_MAX + 1)), "no end within"),
        (lambda _: (_ for _ in ()).throw(httpx2.ReadTimeout("")), "does not answer"),
    ],
    ids=["not ready", "endless", "hanging"],
)
def test_absence_is_an_error(respond, said):
    """A Prometheus that starts, that sends for ever, that hangs."""
    with pytest.raises(SampleError, match=said):
        read_rules(URL, httpx2.MockTransport(respond))


def test_login_of_the_address_is_sent():
    """A Prometheus of the user's own may ask for one."""
    seen = []

    def respond(request):
        seen.append(request.headers["Authorization"])
        return httpx2.Response(200, content=answer())

    assert read_rules(URL, httpx2.MockTransport(respond)) == []
    assert seen == ["Basic bWU6cHc3"]


class Prometheus:
    """Answers, or does not; its clock is moved by hand."""

    def __init__(self):
        self.rules, self.error = [], ""
        self.now = datetime.now(UTC) - timedelta(hours=1)

    def read(self, _):
        if self.error:
            raise SampleError(self.error)
        return self.rules


@pytest.fixture
def sampled(fleet):
    """A leading master, its Prometheus, and a function that samples so many seconds later."""
    prometheus = Prometheus()
    sampler = AlertSampler(URL, prometheus.read, lambda: prometheus.now)
    master = Master(FleetCollector(), sampler=sampler)

    def step(seconds=15):
        prometheus.now += timedelta(seconds=seconds)
        sampler.look()
        return master.tick(fleet.connection("fleet_master")).sentence

    return prometheus, step


def test_round_says_what_was_sampled(fleet, sampled):
    """Alerts that began and ended stand in the sentence of the round, and in the history."""
    prometheus, step = sampled
    prometheus.rules = parse_rules(answer(rule(alert(), alert(gpu="1"))))
    said = [step(), step()]
    prometheus.rules = [{**parse_rules(answer(rule(alert())))[0],
                         "evaluated_at": "2026-01-31T12:11:00Z"}]  # fmt: skip
    said.append(step())

    why = "since Prometheus says that they began to fire, or ended."
    assert said == [f"Noted 2 alerts, {why}", NOTHING, f"Noted 1 alert, {why}"]
    states = fleet.rows("SELECT state, was_delivered FROM analytics.alerts ORDER BY alert_id")
    assert [tuple(row.values()) for row in states] == [("firing", False), ("resolved", False)]


def test_silent_prometheus_is_told_once(fleet, sampled):
    """After a minute, without its login; nothing is invented, and its return is told as well."""
    prometheus, step = sampled
    prometheus.rules = parse_rules(answer(rule(alert())))
    step()
    prometheus.error = "it does not answer (ConnectError)"
    said = [step(seconds) for seconds in (15, 30, 40, 15)]
    prometheus.error = ""
    said += [step(), step()]

    where = "Prometheus at prometheus:9090"
    silent = (
        f"{where} has not answered for 70 s: it does not answer (ConnectError). Until it does, "
        "the history of alerts has only what Alertmanager delivers."
    )
    back = f"{where} answers again, after 100 s."
    assert said == [NOTHING, NOTHING, silent, NOTHING, back, NOTHING]
    told = fleet.rows("SELECT kind, severity FROM analytics.events ORDER BY time")
    assert [tuple(row.values()) for row in told if row["kind"].startswith("prometheus")] == [
        ("prometheus_silent", "warning"), ("prometheus_answers", "info"),
    ]  # fmt: skip
    assert fleet.value("SELECT state FROM analytics.alerts") == "firing"


def test_restart_of_prometheus_is_not_told(sampled):
    """Half a minute of silence is nobody's news."""
    prometheus, step = sampled
    prometheus.error = "it answered 503"
    said = [step(), step()]
    prometheus.error = ""

    assert [*said, step()] == [NOTHING] * 3


def test_sample_that_the_database_refuses_stops_no_round(fleet, sampled):
    """The rest of the upkeep goes on, and the next sample is kept."""
    prometheus, step = sampled
    prometheus.rules = [{"alertname": "X", "evaluated_at": "never", "alerts": []}]
    fleet.rows("SELECT fleet.submit_job('complaint', 1, 'tests')")

    assert step() == "Made 1 task, since open jobs want conversations."
