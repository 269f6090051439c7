"""Settings of mails and text messages: what is refused, and what each then means."""

from __future__ import annotations

import pytest
from fleet_stack.paging import PagingError, check_paging, split_quiet_hours
from fleet_stack.paging.settings import PARSERS
from fleet_stack.paging.smtp import parse_smtp

FULL = {
    "FLEET_SMTP_URL": "smtp://me@mail.example",
    "FLEET_SMTP_PASSWORD_FILE": "/pw",
    "FLEET_MAIL_FROM": "fleet@mail.example",
    "FLEET_MAIL_TO": "a@b",
}


@pytest.mark.parametrize(
    ("url", "address", "user", "is_tls_from_start", "requires_tls"),
    [
        ("smtp://me@mail.example", "mail.example:587", "me", False, True),
        ("smtp://me%40x.org@mail.example:25", "mail.example:25", "me@x.org", False, True),
        ("smtps://me@mail.example", "mail.example:465", "me", True, True),
        ("smtp://10.0.0.1:25", "10.0.0.1:25", "", False, True),
        ("smtp://127.0.0.1:25", "127.0.0.1:25", "", False, False),
        ("smtp://me@localhost:25", "localhost:25", "me", False, True),
        ("smtp://[::1]:25", "[::1]:25", "", False, False),
    ],
)
def test_address_of_a_mail_server(url, address, user, is_tls_from_start, requires_tls):
    """Only a server of this machine that wants no login is spoken to without TLS."""
    server = parse_smtp("FLEET_SMTP_URL", url)

    assert (server.address, server.user) == (address, user)
    assert (server.is_tls_from_start, server.requires_tls) == (is_tls_from_start, requires_tls)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("smtp://me:hunter2@mail.example", "FLEET_SMTP_PASSWORD_FILE"),
        ("smtp://me:hunter2@mail.example:99999", "no mail server"),
        ("mail.example:587", "no mail server"),
        ("http://mail.example", "no mail server"),
        ("smtp://", "no mail server"),
        ("smtp://mail.example/inbox", "no mail server"),
        ("smtps://mail.example:587", "port 465 only"),
        ("smtp://mail.example:465", "write smtps://"),
    ],
)
def test_wrong_address_is_refused(url, said):
    """The message says what to write instead, and shows no password."""
    with pytest.raises(PagingError, match=said) as refused:
        parse_smtp("FLEET_SMTP_URL", url)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLEET_MAIL_TO", "a@b, nobody"),
        ("FLEET_MAIL_TO", "a@b,"),
        ("FLEET_MAIL_TO_CRITICAL", 'a"@b'),
        ("FLEET_MAIL_FROM", "Fleet <a@b>"),
        ("FLEET_QUIET_HOURS", "22-7"),
        ("FLEET_QUIET_HOURS", "24:00-07:00"),
        ("FLEET_QUIET_HOURS", "07:00-07:00"),
        ("FLEET_TIME_ZONE", "Mars/Olympus"),
        ("FLEET_TIME_ZONE", "../etc/passwd"),
        ("FLEET_HEARTBEAT_URL", "hc-ping.com/1"),
        ("FLEET_SNS_TOPIC_ARN", "alerts"),
    ],
)
def test_wrong_setting_is_refused(name, value):
    """The message names the variable."""
    with pytest.raises(PagingError, match=name):
        PARSERS[name](name, value)


@pytest.mark.parametrize(
    ("value", "ranges"),
    [
        ("", []),
        ("12:00-13:30", [("12:00", "13:30")]),
        ("22:00-07:00", [("22:00", "24:00"), ("00:00", "07:00")]),
        ("22:00-00:00", [("22:00", "24:00")]),
    ],
)
def test_quiet_hours_end_with_the_day(value, ranges):
    """Alertmanager knows ranges within a day."""
    assert split_quiet_hours(value) == ranges


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"FLEET_MAIL_TO": ""}, "without FLEET_MAIL_TO"),
        ({"FLEET_MAIL_FROM": ""}, "without FLEET_MAIL_FROM"),
        ({"FLEET_SMTP_PASSWORD_FILE": ""}, "without a password"),
        ({"FLEET_SMTP_URL": "smtp://mail.example"}, "names no user"),
        ({"FLEET_SMTP_URL": ""}, "without FLEET_SMTP_URL"),
    ],
)
def test_settings_that_lack_another_are_refused(changes, said):
    """Before anything starts: a pager that is half set up is none."""
    given = {name: value for name, value in (FULL | changes).items() if value}

    with pytest.raises(PagingError, match=said):
        check_paging(given)


@pytest.mark.parametrize(
    "given",
    [{}, FULL, {"FLEET_SMTP_URL": "smtp://x", "FLEET_MAIL_FROM": "a@b", "FLEET_MAIL_TO": "a@b"}],
    ids=["none", "login", "no login"],
)
def test_settings_that_fit_are_taken(given):
    """Nothing at all fits, too: the mail catcher stays."""
    check_paging(given)
