"""Mails that a real Alertmanager sends: what they say, and which are held back."""

from __future__ import annotations

import queue
from datetime import UTC, datetime, timedelta

import pytest


def alert(name, node, severity, *, is_resolved=False):
    """Return an alert with the annotations that all our rules have."""
    now = datetime.now(UTC)
    ends = now - timedelta(seconds=1) if is_resolved else now + timedelta(minutes=5)
    return {
        "labels": {"alertname": name, "node": node, "severity": severity},
        "annotations": {
            "summary": f"{name} in short.",
            "description": f"Node {node} is at 91 °C & <rising>.",
            "dashboard": "fleet-overview",
            "runbook": name,
        },
        "startsAt": (now - timedelta(minutes=1)).isoformat(),
        "endsAt": ends.isoformat(),
    }


def read(message, kind):
    """Return one part of a mail as text."""
    return message.get_body((kind,)).get_content()


def test_mail_tells_what_and_where(alertmanager):
    """Summary in the subject; description, values and links in both parts."""
    running = alertmanager()
    running.post(alert("GpuHot", "alpha", "critical"))
    message = running.mailbox.next()

    assert message["Subject"] == "[FIRING critical] GpuHot on alpha: GpuHot in short."
    assert (message["From"], message["To"]) == ("fleet@localhost", "operator@localhost")
    plain = read(message, "plain")
    assert "Node alpha is at 91 °C & <rising>." in plain
    assert "Dashboard: http://127.0.0.1:3000/d/fleet-overview?var-node=alpha" in plain
    assert "Runbook: http://127.0.0.1:8000/api/v1/runbooks/GpuHot" in plain
    silence = "http://127.0.0.1:3000/d/fleet-alerts?var-alertname=GpuHot&var-node=alpha"
    assert f"Silence: {silence}" in plain
    html = read(message, "html")
    assert "Node alpha is at 91 °C &amp; &lt;rising&gt;." in html
    assert 'href="http://127.0.0.1:3000/d/fleet-overview?var-node=alpha"' in html
    assert 'href="http://127.0.0.1:8000/api/v1/runbooks/GpuHot"' in html
    assert f'href="{silence}"' in html


def test_nodes_that_vanish_together_are_one_mail(alertmanager):
    """A mail lists all of an alert's nodes; its subject names three of them, and counts more."""
    running = alertmanager(critical_wait="1s")
    running.post(*[alert("NodeDown", f"node-{number}", "critical") for number in range(20)])
    running.post(alert("GpuHot", "alpha", "critical"), alert("GpuHot", "beta", "critical"))
    mails = {mail["Subject"]: mail for mail in (running.mailbox.next(), running.mailbox.next())}

    assert mails.keys() == {
        "[FIRING critical] NodeDown on 20 nodes: NodeDown in short.",
        "[FIRING critical] GpuHot on alpha, beta: GpuHot in short.",
    }
    html = read(mails["[FIRING critical] NodeDown on 20 nodes: NodeDown in short."], "html")
    assert [number for number in range(20) if f">node-{number}<" not in html] == []


def test_times_are_also_told_in_the_time_zone_of_people(alertmanager):
    """UTC for logs, local time for who was woken."""
    running = alertmanager(time_zone="Asia/Tokyo", environ={"TZ": "Asia/Tokyo"})
    running.post({**alert("GpuHot", "alpha", "critical"), "startsAt": "2026-01-02T22:30:00Z"})
    message = running.mailbox.next()

    for kind in ("plain", "html"):
        assert "2026-01-02 22:30:00 UTC (Sat 07:30 JST)" in read(message, kind)


def test_end_of_an_alert_is_told(alertmanager):
    """When it is over, a second mail says so and until when it lasted."""
    running = alertmanager()
    running.post(alert("CpuHot", "alpha", "critical"))
    running.mailbox.next()
    running.post(alert("CpuHot", "alpha", "critical", is_resolved=True))
    message = running.mailbox.next()

    assert message["Subject"] == "[RESOLVED critical] CpuHot on alpha: CpuHot in short."
    assert "until: " in read(message, "plain")


def test_without_grafana_there_is_no_dead_link(alertmanager):
    """A home without Grafana has no dashboard to link to; the runbook stays."""
    running = alertmanager(dashboard_url="")
    running.post(alert("CpuHot", "alpha", "critical"))
    message = running.mailbox.next()

    for kind in ("plain", "html"):
        assert "ashboard" not in read(message, kind)
        assert "grafana" not in read(message, kind)
        assert "http://127.0.0.1:8000/api/v1/runbooks/CpuHot" in read(message, kind)


def test_machine_that_is_gone_is_one_mail(alertmanager):
    """NodeDown holds back ExporterSilent of its node, not that of another."""
    running = alertmanager()
    running.post(alert("NodeDown", "alpha", "critical"))
    first = running.mailbox.next()["Subject"]
    running.post(
        alert("ExporterSilent", "alpha", "warning"), alert("ExporterSilent", "beta", "warning")
    )
    second = running.mailbox.next()["Subject"]

    assert first == "[FIRING critical] NodeDown on alpha: NodeDown in short."
    assert second == "[FIRING warning] ExporterSilent on beta: ExporterSilent in short."
    with pytest.raises(queue.Empty):
        running.mailbox.next(timeout=2)
