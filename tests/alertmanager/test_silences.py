"""A real Alertmanager that the control API silences."""

from __future__ import annotations

import queue
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import fix_control
import pytest
import requests
from fix_control import grafana_double  # noqa: F401 - pytest finds fixtures by name
from fleet_control_api.app import create_app, make_services

WISH = {"alertname": "CpuHot", "node": "alpha", "minutes": 5, "reason": "a fan is on its way"}


def alert(name, node="alpha"):
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, "node": node, "severity": "critical"},
        "annotations": {"summary": f"{name} in short."},
        "startsAt": (now - timedelta(minutes=1)).isoformat(),
        "endsAt": (now + timedelta(minutes=5)).isoformat(),
    }


@pytest.fixture
def connect(database, owner, grafana_double):  # noqa: F811 - as above
    """A function that returns how an operator calls an API that knows this Alertmanager."""
    opened = []

    def call_through(url):
        settings = fix_control.make_settings(database.dsn("fleet_control"), grafana_double)
        services = make_services(replace(settings, alertmanager_url=url))
        opened.append(services)
        app = create_app(settings, services)
        headers = {"Authorization": f"Bearer {fix_control.make_token(owner, 'operator')}"}

        def call(method, path, **body):
            return app.test_client().open(
                f"/api/v1/alerts{path}", method=method, headers=headers, json=body or None
            )

        return call

    yield call_through
    for services in opened:
        services.database.close()


def count_muted(url):
    alerts = requests.get(f"{url}/api/v2/alerts", timeout=5).json()
    return sum(bool(each["status"]["silencedBy"]) for each in alerts)


def test_silence_mutes_the_mail_until_it_is_ended(alertmanager, connect):
    """Of two alerts only that at the other machine is told; once ended, this one is as well."""
    running = alertmanager()
    call = connect(running.url)
    set_ = call("POST", "/silence", **WISH)
    running.post(alert("CpuHot"), alert("CpuHot", "beta"))
    first = running.mailbox.next()["Subject"]
    with pytest.raises(queue.Empty):
        running.mailbox.next(timeout=2)
    (shown,) = call("GET", "/silences").json["silences"]
    muted = count_muted(running.url)
    ended = call("POST", f"/silences/{set_.json['silence_id']}/end", reason="repaired")
    second = running.mailbox.next()["Subject"]

    assert (set_.status_code, set_.json["state"]) == (200, "active"), set_.json
    assert (shown["is_in_force"], muted) == (True, 1)
    assert first.startswith("[FIRING critical] CpuHot on beta")
    assert (ended.status_code, ended.json["state"]) == (200, "ended")
    assert second.startswith("[FIRING critical] CpuHot on alpha")


def test_alertmanager_is_asked_about_regular_expressions(alertmanager, connect):
    """What it does not understand is the caller's mistake, told in its words."""
    call = connect(alertmanager().url)
    matchers = [{"name": "alertname", "value": "A"}, {"name": "node", "value": "a"},
                {"name": "gpu", "value": "(", "is_regex": True}]  # fmt: skip
    answer = call("POST", "/silence", matchers=matchers, minutes=5, reason="x")

    assert answer.status_code == 422
    assert "Alertmanager refuses it: " in answer.json["detail"]
    assert "missing closing )" in answer.json["detail"]


def test_silence_that_is_over_at_alertmanager_is_ended_here(alertmanager, connect):
    """Somebody has expired it with amtool: ending it here is no error, and the list is right."""
    running = alertmanager()
    call = connect(running.url)
    known = call("POST", "/silence", **WISH).json["silence_id"]
    requests.delete(f"{running.url}/api/v2/silence/{known}", timeout=5).raise_for_status()
    (shown,) = call("GET", "/silences").json["silences"]
    ended = call("POST", f"/silences/{known}/end")

    assert (shown["state"], shown["is_in_force"]) == ("active", False)
    assert (ended.status_code, ended.json["state"]) == (200, "ended")
