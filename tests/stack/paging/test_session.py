"""A real mail server says what it thinks of our mails."""

from __future__ import annotations

import socket

import pytest
from fix_mail import PASSWORD, USER, mail_server
from fix_ports import free_port
from fleet_stack.paging import Smtp, session

SENDER, RECEIVERS = "fleet@fleet.example", ["operator@fleet.example"]


@pytest.fixture(params=[False, True], ids=["starttls", "tls from start"])
def server(request, tmp_path):
    with mail_server(tmp_path, is_tls_from_start=request.param) as running:
        yield running


def ask(server, *, user=USER, password=PASSWORD, authority=None):
    """Return what the server has against our mails."""
    means = session.Means(password, server.certificate if authority is None else authority)
    smtp = Smtp(server.host, server.port, user, server.is_tls_from_start)
    return session.read_objection(smtp, SENDER, RECEIVERS, means)


def test_server_that_takes_mails_gets_none(server):
    """The right login over TLS that is trusted; nothing is sent."""
    assert ask(server) == ""
    assert server.handler.messages.empty()


def test_wrong_password_is_told(server):
    """In the words of the server."""
    said = ask(server, password="guess")

    assert said.startswith(f"refuses the login of {USER}: 535 ")


def test_unknown_authority_is_told(server):
    """With the setting that names it."""
    assert "FLEET_SMTP_CA_FILE" in ask(server, authority="")


def test_refused_sender_is_told(server):
    """Many servers take only the addresses of their own."""
    server.handler.sender_answer = "553 5.7.1 not your address"

    assert ask(server) == f"refuses the sender {SENDER}: 553 5.7.1 not your address"


def test_server_that_cannot_be_reached_is_told():
    """A wrong port is the commonest mistake."""
    said = session.read_objection(
        Smtp("127.0.0.1", free_port()), SENDER, RECEIVERS, session.Means()
    )

    assert said == "cannot be reached (Connection refused)"


def test_server_that_says_nothing_is_told():
    """A firewall that swallows what comes must not hang the doctor."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        said = session.read_objection(
            Smtp("127.0.0.1", port), SENDER, RECEIVERS, session.Means(timeout_seconds=0.2)
        )

    assert said.startswith("says nothing")
