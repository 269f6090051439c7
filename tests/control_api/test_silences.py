"""Silences: set and ended at Alertmanager, kept in the database, and never claimed in vain."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import requests
from fleet_control_api.service.alertmanager import Alertmanager
from fleet_control_api.service.errors import ApiError

WISH = {"alertname": "GpuHot", "node": "alpha", "minutes": 30, "reason": "a fan is on its way"}
STATES = ("pending", "active", "ended")
TWO = [{"name": "alertname", "value": "GpuHot"}, {"name": "node", "value": "alpha"}]


@pytest.fixture
def silencer(api, alertmanager_double):
    """The API with a stand-in for Alertmanager; `api.am` is that."""
    api.use(alertmanager=Alertmanager(alertmanager_double.url))
    api.am = alertmanager_double
    return api


def fire(api, ends_at=None):
    """The number of an alert that Prometheus has told Alertmanager of."""
    labels = {"alertname": "GpuHot", "severity": "critical", "node": "alpha", "gpu": "0",
              "instance": "10.0.0.7:9835", "job": "fleet-node"}  # fmt: skip
    body = {
        "version": "4",
        "receiver": "critical-mail",
        "alerts": [
            {
                "status": "resolved" if ends_at else "firing",
                "labels": labels,
                "startsAt": "2026-01-31T12:00:00Z",
                "endsAt": ends_at or "0001-01-01T00:00:00Z",
            }
        ],
    }
    assert api.call("webhook", "POST", "/alerts/webhook", json=body).status_code == 200
    (shown,) = api.call("viewer", "GET", "/alerts").json["alerts"]
    return shown["alert_id"]


def silence(api, who="operator", **changes):
    body = {name: value for name, value in (WISH | changes).items() if value is not None}
    return api.call(who, "POST", "/alerts/silence", json=body)


def silences(api, **query):
    return api.call("viewer", "GET", "/alerts/silences", query_string=query).json


def end(api, silence_id, who="admin", **body):
    return api.call(who, "POST", f"/alerts/silences/{silence_id}/end", json=body)


def test_silence_is_set_and_kept(silencer):
    """Alertmanager has it, the list says who, why and until when, the audit log too."""
    answer = silence(silencer)
    (kept,) = silences(silencer)["silences"]
    (told,) = silencer.am.silences.values()

    assert answer.status_code == 200
    assert {name: kept[name] for name in answer.json} == answer.json
    assert (kept["state"], kept["owner"], kept["is_in_force"]) == ("active", "operator-token", True)
    assert kept["matchers"] == 'alertname="GpuHot", node="alpha"'
    lasts = datetime.fromisoformat(kept["ends_at"]) - datetime.fromisoformat(kept["time"])
    assert lasts == timedelta(minutes=30)
    assert (told["createdBy"], told["comment"]) == ("operator-token", "a fan is on its way")
    (row,) = silencer.audit()
    assert (row["action"], row["outcome"], row["target"]) == (
        "alerts.silence", "done", 'alertname="GpuHot", node="alpha"',
    )  # fmt: skip
    assert row["reason"].startswith("a fan is on its way (until ")


def test_alert_that_fires_is_silenced_by_its_number(silencer):
    """Its own labels are the matchers, without address and job of the target."""
    number = fire(silencer)
    answer = silence(silencer, alertname=None, node=None, alert_id=number)

    assert answer.json["alert_id"] == number
    assert answer.json["matchers"] == (
        'alertname="GpuHot", gpu="0", node="alpha", severity="critical"'
    )


def test_silence_may_begin_later(silencer):
    """Before a repair that is planned."""
    begins = datetime.now(UTC) + timedelta(hours=1)
    ends = begins + timedelta(hours=2)
    answer = silence(silencer, minutes=None, starts_at=begins.isoformat(), ends_at=ends.isoformat())

    assert (answer.status_code, answer.json["state"]) == (200, "pending")
    assert silencer.am.states() == ["pending"]
    found = {state: len(silences(silencer, state=state)["silences"]) for state in STATES}
    assert found == {"pending": 1, "active": 0, "ended": 0}


def matchers(*several):
    names = ("name", "value", "is_regex", "is_equal")
    return {"alertname": None, "node": None,
            "matchers": [dict(zip(names, each, strict=False)) for each in several]}  # fmt: skip


@pytest.mark.parametrize(
    "wish",
    [
        {"node": None},
        matchers(),
        matchers(("alertname", "GpuHot")),
        matchers(("alertname", "GpuHot"), ("alertname", "GpuHot")),
        matchers(("alertname", "GpuHot"), ("node", ".*", True)),
        matchers(("alertname", "GpuHot"), ("node", "alpha|.+", True)),
        matchers(("alertname", "GpuHot"), ("node", "[^x]*", True)),
        matchers(("alertname", "GpuHot"), ("node", "alpha", False, False)),
        matchers(("alertname", "GpuHot"), ("gpu", "")),
        matchers(("severity", "critical"), ("job", "fleet-node")),
    ],
    ids=["name alone", "none", "one", "one twice", "any", "or any", "any but", "not", "empty",
         "no name"],
)  # fmt: skip
def test_too_much_is_not_silenced(silencer, wish):
    """Fewer than two labels that pick something out, or neither alert nor node: 422, and why."""
    answer = silence(silencer, **wish)

    assert answer.status_code == 422
    assert "would silence too much" in answer.json["detail"]
    assert "alertname=GpuHot and node=nova" in answer.json["remedy"]
    assert (silencer.am.silences, silences(silencer)["silences"]) == ({}, [])
    assert [row["outcome"] for row in silencer.audit()] == ["failed"]


@pytest.mark.parametrize(
    "wish",
    [
        matchers(("alertname", "GpuHot"), ("node", "alpha|pi-[a-z]", True), ("gpu", "0|1", True)),
        matchers(("alertname", "Gpu.*", True), ("severity", "warning")),
        matchers(("node", "alpha"), ("mount", "/data"), ("gpu", "", False, False)),
    ],
    ids=["words", "beginning", "no alertname"],
)
def test_what_is_narrow_is_silenced(silencer, wish):
    """Regular expressions count where each of their ways has a word in it."""
    assert silence(silencer, **wish).status_code == 200


def past(**ago):
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


@pytest.mark.parametrize(
    ("wish", "detail"),
    [
        ({"alertname": None}, "not clear which alerts"),
        ({"matchers": TWO}, "not clear which alerts"),
        ({"minutes": None}, "needs an end"),
        ({"ends_at": "2030-01-01T00:00:00Z"}, "needs an end"),
        ({"minutes": None, "ends_at": past(hours=1)}, "is not possible"),
        ({"minutes": None, "ends_at": past(days=-40)}, "is not possible"),
        ({"starts_at": past(days=-40)}, "is not possible"),
        ({"minutes": 0}, "minutes"),
        ({"reason": " "}, "reason"),
        ({"node": 'a"b'}, "node"),
        (matchers(*[("alertname", "A"), ("node", "a"), ("gpu", "(", True)]), "refuses it: error"),
    ],
)  # fmt: skip
def test_unusable_wish_is_explained(silencer, wish, detail):
    """Which alerts, until when, why: what is missing or contradicts itself is named."""
    answer = silence(silencer, **wish)

    assert (answer.status_code, detail in answer.json["detail"]) == (422, True), answer.json
    assert silences(silencer)["silences"] == []


def test_alert_that_is_over_is_not_silenced(silencer):
    """A conflict that says what to do instead; an unknown one is 404."""
    number = fire(silencer, ends_at="2026-01-31T13:00:00Z")
    by_number = {"alertname": None, "node": None}
    answers = [silence(silencer, alert_id=each, **by_number) for each in (number, number + 1)]

    assert [answer.status_code for answer in answers] == [409, 404]
    assert "alertname and node" in answers[0].json["remedy"]


def test_silence_is_ended(silencer):
    """It is over at Alertmanager, the list says who did it and why; a second time is a conflict."""
    known = silence(silencer).json["silence_id"]
    ended = end(silencer, known, reason="repaired")
    again = end(silencer, known)

    assert (ended.status_code, ended.json["state"]) == (200, "ended")
    assert (ended.json["ended_by"], ended.json["end_reason"]) == ("admin-token", "repaired")
    assert silencer.am.states() == ["expired"]
    assert (again.status_code, "ended already, by admin-token" in again.json["detail"]) == (
        409, True,
    )  # fmt: skip
    assert [(row["action"], row["outcome"]) for row in silencer.audit()][1:] == [
        ("alerts.end-silence", "done"), ("alerts.end-silence", "failed"),
    ]  # fmt: skip
    assert end(silencer, uuid.uuid4()).status_code == 404


def test_silence_that_alertmanager_lost_is_ended_too(silencer):
    """Somebody removed it past this API: the list says so, and it can be ended here."""
    known = silence(silencer).json["silence_id"]
    silencer.am.silences.clear()

    assert silences(silencer)["silences"][0]["is_in_force"] is False
    assert end(silencer, known).json["state"] == "ended"


def test_stray_silence_is_listed_and_ended(silencer):
    """One that was set past this API is seen by everybody, and ended in the name of who does it."""
    span = [datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1)]
    names = ("name", "value", "isRegex", "isEqual")
    given = [dict(zip(names, ("severity", ".+", True, True), strict=True))]
    stray = Alertmanager(silencer.am.url).put_silence(given, span, "mallory", "shh")
    shown = silences(silencer)

    assert shown["silences"] == []
    (found,) = shown["strays"]
    assert (found["silence_id"], found["matchers"]) == (str(stray), 'severity=~".+"')
    ended = end(silencer, stray).json
    assert (ended["owner"], ended["ended_by"]) == ("mallory", "admin-token")
    assert (silencer.am.states(), silences(silencer)["strays"]) == (["expired"], [])


def test_nothing_is_claimed_while_alertmanager_is_away(silencer):
    """502 with its address and what to do; no row; the attempt is in the audit log as failed."""
    known = silence(silencer).json["silence_id"]
    silencer.am.failing = 503
    answers = [silence(silencer), end(silencer, known)]
    shown = silences(silencer)

    for answer in answers:
        assert (answer.status_code, answer.mimetype) == (502, "application/problem+json")
        assert "answered 503" in answer.json["detail"]
        assert "./fleet logs alertmanager" in answer.json["remedy"]
    assert [row["outcome"] for row in silencer.audit()] == ["done", "failed", "failed"]
    assert "answered 503" in shown["alertmanager_error"]
    assert [(s["state"], s["is_in_force"]) for s in shown["silences"]] == [("active", None)]


def test_home_without_alertmanager_says_so(api):
    """It is no fault of the caller's, and there is a way to add one."""
    answer = silence(api)

    assert (answer.status_code, answer.json["detail"]) == (502, "there is no Alertmanager")
    assert silences(api)["alertmanager_error"] == "there is no Alertmanager"


def test_silence_that_alertmanager_forgets_is_none(silencer):
    """It said yes, and has it not: nobody is told that the alert is muted."""
    silencer.am.forgets = True

    assert silence(silencer).status_code == 502
    assert silences(silencer)["silences"] == []


def test_silence_that_could_not_be_kept_is_taken_back(silencer):
    """The database fails after Alertmanager has it: it does not stay there unknown."""
    silencer.owner.execute(
        "CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$;"
        "CREATE TRIGGER fail BEFORE INSERT ON control.silences"
        " FOR EACH ROW EXECUTE FUNCTION pg_temp.fail()"
    )

    assert silence(silencer).status_code == 503
    assert silencer.am.states() == ["expired"]
    assert silences(silencer)["strays"] == []


def test_same_key_is_one_silence(silencer):
    """A request that is sent again under its key sets no second one."""
    answers = [
        silencer.call("operator", "POST", "/alerts/silence", json=WISH,
                      headers={"Idempotency-Key": "k"}).json
        for _ in range(2)
    ]  # fmt: skip

    assert answers[0] == answers[1]
    assert len(silencer.am.silences) == 1


def test_alert_is_acknowledged_and_commented(api):
    """Others see who has taken it on; the second one is told by whom."""
    number = fire(api)
    path = f"/alerts/{number}"
    taken = api.call("operator", "POST", f"{path}/acknowledge", json={"reason": "on my way"})
    again = api.call("admin", "POST", f"{path}/acknowledge")
    said = api.call("admin", "POST", f"{path}/comment", json={"comment": "a fan was stuck"})

    assert taken.json["acknowledged_by"] == "operator-token"
    assert (taken.json["comment"], said.json["comment"]) == ("on my way", "a fan was stuck")
    assert (again.status_code, "already, by operator-token" in again.json["detail"]) == (409, True)
    assert [(row["action"], row["outcome"], row["reason"]) for row in api.audit()][1:] == [
        ("alerts.acknowledge", "done", "on my way"),
        ("alerts.acknowledge", "failed", again.json["detail"]),
        ("alerts.comment", "done", "a fan was stuck"),
    ]  # fmt: skip
    for verb, body in (("acknowledge", {}), ("comment", {"comment": "x"})):
        assert (
            api.call("admin", "POST", f"/alerts/{number + 1}/{verb}", json=body).status_code == 404
        )


def test_buttons_silence_end_and_acknowledge(silencer):
    """They do what the routes do, in the person's name."""
    number = fire(silencer)

    def press(verb, **query):
        return silencer.call("grafana:editor", "POST", f"/buttons/{verb}", query_string=query)

    answers = [press("alert-acknowledge", alert_id=number, reason="mine"),
               press("alert-silence", alert_id=number, minutes=60, reason="a fan")]  # fmt: skip
    known = answers[1].json["silence_id"]
    answers.append(press("silence-end", silence_id=known, reason="repaired"))

    assert [answer.status_code for answer in answers] == [200] * 3, answers[1].json
    assert answers[0].json["acknowledged_by"] == "editor"
    assert (answers[1].json["owner"], answers[1].json["reason"]) == ("editor", "a fan")
    assert (answers[2].json["ended_by"], silencer.am.states()) == ("editor", ["expired"])
    untouched = press("alert-silence", alert_id=number, minutes=60, reason="$reason")
    assert (untouched.status_code, len(silencer.am.silences)) == (422, 1)


def respond(status=200, content=b""):
    response = requests.Response()
    response.status_code, response._content = status, content
    return response


def hang(*_):
    raise requests.ReadTimeout


@pytest.mark.parametrize(
    ("send", "said"),
    [
        (hang, "Alertmanager at 10.0.0.9:9093 does not answer (ReadTimeout)"),
        (lambda *_: respond(200, b"<html>"), "does not answer as an Alertmanager does"),
        (lambda *_: respond(200, b'[{"id": 5}]'), "does not answer as an Alertmanager does"),
        (lambda *_: respond(302), "answered 302"),
    ],
    ids=["hangs", "page", "other JSON", "leads elsewhere"],
)
def test_strange_answers_are_named_without_the_login(send, said):
    """What hangs, what is another program: one error each, which shows no password."""
    away = Alertmanager("http://me:pw7@10.0.0.9:9093", send)
    with pytest.raises(ApiError) as caught:
        away.list_silences()

    assert (caught.value.status, said in str(caught.value)) == (502, True), caught.value
    assert "pw7" not in f"{caught.value}{caught.value.remedy}"


def test_few_wait_for_an_alertmanager_that_hangs():
    """The fifth at once is answered at once: others need the threads."""
    answers = []

    def call_again(*_):
        if len(answers) < 4:
            answers.append(None)
            slow.list_silences()
        return respond(200, b"[]")

    slow = Alertmanager("http://10.0.0.9:9093", call_again)
    with pytest.raises(ApiError, match="others wait for it already") as caught:
        slow.list_silences()

    assert (caught.value.status, len(answers)) == (503, 4)


def test_command_line_silences_and_ends(silencer, fleet):
    """The verbs, in words; short ids stand for whole ones."""
    number = str(fire(silencer))
    told = [
        fleet("alerts", "acknowledge", number, "--reason", "mine"),
        fleet("alerts", "comment", number, "a fan was stuck"),
        fleet("alerts", "silence", "--matcher", "alertname=GpuHot", "--matcher", "node=~a.*",
              "--minutes", "5", "--reason", "noise"),
        fleet("alerts", "silence", number, "--minutes", "5", "--reason", "noise", "--json"),
    ]  # fmt: skip
    known = silences(silencer)["silences"][0]["silence_id"]
    told.append(fleet("alerts", "unsilence", known[:8]))
    told.append(fleet("alerts", "silences"))

    assert [code for code, *_ in told] == [0] * 6, told
    assert told[0][1] == f"Alert {number} (GpuHot) is taken on by admin-token.\n"
    assert 'mutes alertname="GpuHot", node=~"a.*".' in told[2][1]
    assert f"Silence {known} is ended;" in told[4][1]
    assert "active" in told[5][1]
    refused = fleet("alerts", "silence", "--alertname", "GpuHot", "--minutes", "5", "--reason", "x")
    assert (refused[0], "would silence too much" in refused[2]) == (1, True)


def test_silences_stand_in_sql(silencer):
    """What the API did can be read by analysts, who have nothing but views."""
    known = silence(silencer).json["silence_id"]
    end(silencer, known, reason="repaired")
    info = silencer.owner.info
    dsn = f"host=127.0.0.1 port={info.port} user=fleet_analyst dbname={info.dbname}"
    with psycopg.connect(dsn) as analyst:
        rows = analyst.execute(
            "SELECT state, matchers, reason, owner, ended_by, end_reason FROM analytics.silences"
        ).fetchall()

    assert rows == [
        ("ended", 'alertname="GpuHot", node="alpha"', "a fan is on its way", "operator-token",
         "admin-token", "repaired")
    ]  # fmt: skip
