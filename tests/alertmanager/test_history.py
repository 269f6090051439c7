"""What a real Alertmanager tells the control API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fix_control import api_server, control_settings, grafana_double, make_token  # noqa: F401
from fix_fleet import wait_until


def alert(name, *, is_resolved=False):
    """An alert as Prometheus hands it in."""
    now = datetime.now(UTC)
    ends = now - timedelta(seconds=1) if is_resolved else now + timedelta(minutes=5)
    return {
        "labels": {"alertname": name, "node": "alpha", "severity": "critical"},
        "annotations": {"summary": f"{name} in short."},
        "startsAt": (now - timedelta(minutes=1)).isoformat(),
        "endsAt": ends.isoformat(),
    }


def read_history(api):
    return api.call("GET", "/alerts").json()["alerts"]


def test_alert_becomes_history(alertmanager, api_server, owner, tmp_path):  # noqa: F811
    """When it fires there is a row that says who was told; when it ends, the row has its end."""
    token = tmp_path / "token"
    token.write_text(make_token(owner, "webhook"))
    running = alertmanager(
        webhook_url=f"{api_server.url}/alerts/webhook", webhook_token_file=str(token)
    )
    running.post(alert("GpuHot"))
    (fired,) = wait_until(lambda: read_history(api_server), "it is in the history")
    running.post(alert("GpuHot", is_resolved=True))
    (ended,) = wait_until(
        lambda: [row for row in read_history(api_server) if row["state"] == "resolved"],
        "its end is",
    )

    assert (fired["state"], fired["node"], fired["receivers"]) == (
        "firing", "alpha", ["critical-mail"],
    )  # fmt: skip
    assert fired["summary"] == "GpuHot in short."
    assert (ended["alert_id"], ended["ended_at"] > ended["time"]) == (fired["alert_id"], True)


def test_mail_goes_out_without_the_control_api(alertmanager, tmp_path):
    """Nobody keeps the history while it is down; people are told all the same."""
    token = tmp_path / "token"
    token.write_text("unused")
    running = alertmanager(webhook_url="http://127.0.0.1:1/nobody", webhook_token_file=str(token))
    running.post(alert("NodeDown"))

    assert running.mailbox.next()["Subject"].startswith("[FIRING critical] NodeDown on alpha")
