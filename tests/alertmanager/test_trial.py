"""`fleet alerts test` against a real Alertmanager: each receiver's message is seen, or why not."""

from __future__ import annotations

import json

import pytest
from fix_mail import PASSWORD, USER
from fleet_stack.home.stack import ABSENT, EXTERNAL, MANAGED, NAMES, Decision, Part
from fleet_stack.trial import trial, ways

MAIL = ways.Way("critical-mail", "email", "to a@b")


def settings(server, tmp_path, password=PASSWORD):
    """Return what the launcher would fill in for this server."""
    (tmp_path / "smtp_password").write_text(password)
    return {
        "smtp_address": f"{server.host}:{server.port}",
        "smtp_needs_starttls": True,
        "smtp_user": USER,
        "smtp_password_file": str(tmp_path / "smtp_password"),
        "smtp_ca_file": server.certificate,
        "mail_from": USER,
    }


def test_message_that_is_sent_is_seen(alertmanager, mail_servers, tmp_path):
    """With the seconds that it took; its end follows."""
    server = mail_servers()
    running = alertmanager(**settings(server, tmp_path), critical_wait="600ms")
    stand = trial.Stand(running.url, "", tmp_path)
    (result,) = trial.run(stand, [MAIL], "critical")

    assert (result.way, result.reason) == (MAIL, "")
    assert 0 < result.seconds < trial.WAIT_SECONDS["critical"]
    assert server.handler.next()["Subject"] == "[FIRING critical] FleetTest: This is a test."
    assert server.handler.next()["Subject"].startswith("[RESOLVED critical] FleetTest")


def test_refusal_is_told_in_the_words_of_the_server(alertmanager, mail_servers, tmp_path):
    """Whoever mistyped the password reads so at once."""
    running = alertmanager(**settings(mail_servers(), tmp_path, password="guess"))
    stand = trial.Stand(running.url, "", tmp_path)
    (result,) = trial.run(stand, [MAIL], "critical", seconds=3.0)

    assert result.seconds is None
    assert "535 5.7.8" in result.reason


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            r'level=warn receiver=critical-mail integration=email[0] err="auth: \"535 5.7.8\" bad"',
            'auth: "535 5.7.8" bad',
        ),
        (
            "level=WARN receiver=critical-mail integration=email[0] aggrGroup=x attempts=1 err=EOF",
            "EOF",
        ),
        ('receiver=warning-mail integration=email[0] attempts=1 err="other"', ""),
        ('receiver=critical-mail integration=webhook[0] attempts=1 err="other"', ""),
    ],
    ids=["0.25", "newer", "another receiver", "another way"],
)
def test_errors_are_found_in_the_log(line, said):
    """Those of this receiver and this way."""
    assert ways.parse_refusal(f"begin\n{line}\nend", MAIL) == said


def test_reason_of_the_bridge_is_found():
    """Its log has one JSON object a line; a crash may have left half of one."""
    log = json.dumps({"message": "A text message could not be sent yet.", "reason": "401 No"})

    assert ways.parse_bridge_refusal(f'{log}\n{{"half') == "401 No"


@pytest.mark.parametrize(
    ("states", "given", "severity", "receivers"),
    [
        ({}, {}, "critical", ["critical-mail"]),
        ({"sms-bridge": MANAGED}, {}, "critical", ["critical-mail", "critical-sms"]),
        ({"sms-bridge": MANAGED}, {}, "warning", ["warning-mail"]),
        ({}, {"FLEET_SNS_TOPIC_ARN": "arn"}, "critical", ["critical-mail", "critical-sns"]),
    ],
)
def test_every_way_is_tried(states, given, severity, receivers):
    """Those that are set up, of this severity."""
    parts = {name: Part(states.get(name, ABSENT)) for name in NAMES}
    found = ways.find_ways(Decision(parts, "alpha", "/run"), given, severity)

    assert [way.receiver for way in found] == receivers


def test_goal_is_named():
    """Who gets the mail, and by which server; or that nobody does."""
    parts = {name: Part(ABSENT) for name in NAMES} | {"mail": Part(EXTERNAL, "smtp://x:587")}
    given = {"FLEET_MAIL_TO": "a@b", "FLEET_MAIL_TO_CRITICAL": "night@b"}
    sent = Decision(parts, "alpha", "/run")
    caught = Decision(parts | {"mail": Part(MANAGED)}, "alpha", "/run")

    assert ways.find_ways(sent, given, "critical")[0].goal == "to night@b, by smtp://x:587"
    assert "nobody" in ways.find_ways(caught, given, "critical")[0].goal
