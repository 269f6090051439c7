"""Mails through a server that demands TLS and a login."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from fix_fleet import wait_until
from fix_mail import PASSWORD, USER


def alert(name="GpuHot"):
    """An alert as Prometheus hands it in."""
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, "node": "alpha", "severity": "critical"},
        "annotations": {"summary": f"{name} in short."},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=5)).isoformat(),
    }


def settings(server, tmp_path, password=PASSWORD):
    """Return what the launcher would fill in for this server."""
    file = tmp_path / "smtp_password"
    file.write_text(password)
    return {
        "smtp_address": f"{server.host}:{server.port}",
        "smtp_needs_starttls": not server.is_tls_from_start,
        "smtp_user": USER,
        "smtp_password_file": str(file),
        "smtp_ca_file": server.certificate,
        "mail_from": USER,
        "mail_to_critical": "night@fleet.example, day@fleet.example",
    }


def test_mail_goes_out_over_tls_with_a_login(alertmanager, mail_servers, tmp_path):
    """STARTTLS, a certificate that is checked, a password from a file; all receivers are named."""
    server = mail_servers()
    alertmanager(**settings(server, tmp_path)).post(alert())
    message = server.handler.next()

    assert message["Subject"].startswith("[FIRING critical] GpuHot on alpha")
    assert message["To"] == "night@fleet.example, day@fleet.example"


def test_mail_goes_out_over_tls_from_the_start(alertmanager, mail_servers, tmp_path):
    """Alertmanager speaks so on port 465."""
    address = f"127.46.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"  # of this process alone
    server = mail_servers(is_tls_from_start=True, address=address, port=465)
    alertmanager(**settings(server, tmp_path)).post(alert())
    message = server.handler.next()

    assert message["Subject"].startswith("[FIRING critical] GpuHot on alpha")


def test_new_password_is_read_without_a_restart(alertmanager, mail_servers, tmp_path):
    """While the login is wrong the log has the answer of the server; the mail is not lost."""
    server = mail_servers()
    alertmanager(**settings(server, tmp_path, password="an old one")).post(alert())
    log = tmp_path / "alertmanager.log"
    wait_until(lambda: "535 5.7.8" in log.read_text(), "the refusal is in the log")
    settings(server, tmp_path)
    message = server.handler.next()

    assert message["Subject"].startswith("[FIRING critical] GpuHot on alpha")


@pytest.mark.parametrize("without", ["smtp_ca_file", "smtp_user"])
def test_nothing_goes_out_in_the_clear(alertmanager, mail_servers, tmp_path, without):
    """A certificate that nobody vouches for gets no login, and no login no mail."""
    server = mail_servers()
    alertmanager(**settings(server, tmp_path) | {without: ""}).post(alert())
    log = tmp_path / "alertmanager.log"
    wait_until(lambda: "integration=email[0]" in log.read_text(), "it could not be sent")

    assert server.handler.messages.empty()
