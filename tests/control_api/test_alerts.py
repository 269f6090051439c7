"""What Alertmanager delivers: one row each time that an alert fired, be it told twice or late."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

BEGAN, LATER, ENDED = "2026-01-31T12:00:00.5Z", "2026-01-31T14:00:00Z", "2026-01-31T13:00:00+00:00"
NEVER = "0001-01-01T00:00:00Z"
LABELS = {
    "alertname": "GpuHot", "severity": "critical", "node": "alpha", "gpu": "0",
    "instance": "10.0.0.7:9835", "job": "fleet-node",
}  # fmt: skip


def alert(status="firing", starts=BEGAN, ends=NEVER, labels=None):
    return {
        "status": status,
        "labels": labels or LABELS,
        "annotations": {"summary": "A GPU is too hot.", "description": "91 °C"},
        "startsAt": starts,
        "endsAt": ends,
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "c0ffee",
    }


def deliver(api, *alerts, receiver="critical-mail", who="webhook", **changes):
    """A delivery as Alertmanager 0.25 and later write it; newer ones know more."""
    body = {
        "version": "4", "groupKey": "{}:{alertname=GpuHot}", "truncatedAlerts": 0,
        "status": "firing", "receiver": receiver, "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://alertmanager", "notificationReason": "new",
        "alerts": list(alerts),
    }  # fmt: skip
    return api.call(who, "POST", "/alerts/webhook", json=body | changes)


def listed(api, **query):
    return api.call("viewer", "GET", "/alerts", query_string=query).json["alerts"]


def test_delivery_becomes_history(api):
    """People see what fired, since when and who was told, not the address of the target."""
    answer = deliver(api, alert())
    (shown,) = listed(api, state="firing")

    assert (answer.status_code, answer.json) == (200, {"opened": 1, "ended": 0})
    assert (shown["alertname"], shown["node"], shown["severity"]) == ("GpuHot", "alpha", "critical")
    assert (shown["time"], shown["ended_at"]) == ("2026-01-31T12:00:00.500000+00:00", None)
    assert (shown["summary"], shown["receivers"]) == ("A GPU is too hot.", ["critical-mail"])
    assert shown["notified_at"] is not None
    assert "10.0.0.7" not in json.dumps([shown, api.audit()])


def test_same_delivery_again_changes_nothing(api):
    """Alertmanager repeats what it tells, and sends again what it is unsure of."""
    deliver(api, alert())
    first = listed(api)
    again = deliver(api, alert())

    assert again.json == {"opened": 0, "ended": 0}
    assert listed(api) == first


def test_another_receiver_is_noted(api):
    """One alert that goes two ways is one row."""
    deliver(api, alert())
    deliver(api, alert(), receiver="critical-sms")

    assert [row["receivers"] for row in listed(api)] == [["critical-mail", "critical-sms"]]


def test_end_is_told_once(api):
    """A resolved alert ends its row; what comes late does not open it again."""
    deliver(api, alert())
    ended = deliver(api, alert("resolved", ends=ENDED))
    late = [deliver(api, alert()).json, deliver(api, alert("resolved", ends=LATER)).json]
    (shown,) = listed(api)

    assert ended.json == {"opened": 0, "ended": 1}
    assert late == [{"opened": 0, "ended": 0}] * 2
    assert (shown["state"], shown["ended_at"]) == ("resolved", "2026-01-31T13:00:00+00:00")


def test_next_time_is_another_row(api):
    """The same labels fire again: a late word of the first time does not end the second."""
    deliver(api, alert("resolved", ends=ENDED))
    deliver(api, alert(starts=LATER))
    late = deliver(api, alert("resolved", ends=ENDED))

    assert late.json == {"opened": 0, "ended": 0}
    assert [row["state"] for row in listed(api)] == ["firing", "resolved"]


def test_lost_beginning_is_made_up(api):
    """When only the end arrives, the row has both."""
    answer = deliver(api, alert("resolved", ends=ENDED))

    assert answer.json == {"opened": 1, "ended": 1}
    assert [(row["time"], row["ended_at"]) for row in listed(api)] == [
        ("2026-01-31T12:00:00.500000+00:00", "2026-01-31T13:00:00+00:00")
    ]


def test_two_receivers_at_once_are_one_row(api):
    """Deliveries that arrive together wait for each other."""
    api.token("webhook")
    with ThreadPoolExecutor(4) as threads:
        told = [
            threads.submit(deliver, api, alert(), receiver=f"receiver-{n}").result for n in range(4)
        ]
        opened = [wait().json["opened"] for wait in told]

    assert sorted(opened) == [0, 0, 0, 1]
    assert len(listed(api)) == 1


def test_impossible_times_stay_readable(api):
    """A clock that is wrong by millennia breaks no list: nothing begins after now."""
    far = alert(starts="9999-12-31T23:59:59-23:00", labels={"alertname": "Far"})
    old = alert("resolved", NEVER, "0001-01-01T00:00:00+14:00", labels={"alertname": "Old"})
    answer = deliver(api, far, old)

    assert answer.status_code == 200
    assert [row["time"][:4] != "9999" for row in listed(api)] == [True, True]


def test_what_no_database_takes_is_cleaned(api):
    """NUL, long values and long label sets are no reason to lose an alert."""
    labels = {"alertname": "A\0B", "x\0": "\0"} | {f"label_{n}": f"{n}" * 200 for n in range(60)}

    assert deliver(api, alert(labels=labels)).status_code == 200
    assert [row["alertname"] for row in listed(api)] == ["A B"]


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"version": "5"}, "version must be '4', not '5'"),
        ({"alerts": {}}, "alerts must be a list"),
        ({"alerts": [{**alert(), "labels": {"node": "alpha"}}]}, "alertname is missing"),
        ({"alerts": [{**alert(), "startsAt": 5}]}, "alerts[0].startsAt"),
        ({"alerts": [{**alert(), "status": "\ud800"}]}, "alerts[0].status must not be"),
    ],
    ids=["version", "list", "name", "time", "surrogate"],
)
def test_unusable_delivery_is_refused(api, changes, detail):
    """The answer says what is wrong, and nothing is kept of it."""
    answer = deliver(api, **changes)

    assert (answer.status_code, detail in answer.json["detail"]) == (422, True), answer.json
    assert listed(api) == []


def test_large_delivery_is_taken(api):
    """Hundreds of alerts of one group come at once; a megabyte is the end."""
    many = [alert(labels={**LABELS, "gpu": str(n)}) for n in range(300)]

    assert deliver(api, *many).json == {"opened": 300, "ended": 0}
    assert deliver(api, alert(labels={**LABELS, "x": "x" * 2**20})).status_code == 413


def test_delivery_is_audited(api):
    """Who fills the history stands in the audit log, refused strangers too."""
    deliver(api, alert())
    refused = deliver(api, alert(), who="admin")

    assert refused.status_code == 403
    assert [(row["actor"], row["action"], row["outcome"]) for row in api.audit()] == [
        ("webhook-token", "alerts.deliver", "done"),
        ("admin-token", "alerts.deliver", "refused"),
    ]
    assert api.audit()[0]["target"] == "critical-mail: GpuHot"
