"""The mail catcher keeps every message as one file."""

from __future__ import annotations

import email
import signal
import smtplib
import subprocess
import sys
from email.message import EmailMessage

import pytest
from fix_ports import free_port
from fleet_stack.run.health import check_mail
from fleet_stack.servers.mail import store_message


@pytest.fixture
def catcher(tmp_path):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "fleet_stack.servers.mail", str(port), str(tmp_path)]
    )
    # The port opens when it is ready; each try is answered or refused at once.
    while check_mail(port):
        assert process.poll() is None
    yield port, tmp_path, process
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 0


def test_mail_becomes_one_file(catcher):
    """Headers, text and envelope are there; nothing half written is left."""
    port, folder, _ = catcher
    message = EmailMessage()
    message["Subject"] = "[FIRING] ExporterSilent"
    message["From"], message["To"] = "fleet@localhost", "operator@localhost"
    message.set_content("alpha is silent.\n.\nend")
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.send_message(message)
    (file,) = folder.iterdir()
    stored = email.message_from_bytes(file.read_bytes())

    assert file.suffix == ".eml"
    assert stored["Subject"] == "[FIRING] ExporterSilent"
    assert stored["X-Envelope-To"] == "operator@localhost"
    assert stored.get_payload().replace("\r\n", "\n") == "alpha is silent.\n.\nend\n"


def test_two_mails_in_one_moment_are_two_files(tmp_path):
    """Names carry time and chance."""
    names = {
        store_message(tmp_path, "a@x", ["b@x"], b"Subject: s\r\n\r\ntext").name for _ in range(50)
    }

    assert 50 == len(names) == len(list(tmp_path.iterdir()))


def test_mail_is_private(tmp_path):
    """Alerts may name machines and people."""
    path = store_message(tmp_path, "a@x", ["b@x"], b"Subject: s\r\n\r\ntext")

    assert path.stat().st_mode & 0o777 == 0o600
