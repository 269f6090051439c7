"""
The settings that say how people are told: each alone, and whether they fit together.

Pure; the home stores them, and copies the files that some of them name.
"""

from __future__ import annotations

import re
import zoneinfo
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fleet_stack.paging.errors import PagingError
from fleet_stack.paging.smtp import parse_smtp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_stack.paging.smtp import Smtp

URL, PASSWORD, AUTHORITY = "FLEET_SMTP_URL", "FLEET_SMTP_PASSWORD_FILE", "FLEET_SMTP_CA_FILE"
SENDER, TO, TO_CRITICAL = "FLEET_MAIL_FROM", "FLEET_MAIL_TO", "FLEET_MAIL_TO_CRITICAL"
QUIET, ZONE, HEARTBEAT = "FLEET_QUIET_HOURS", "FLEET_TIME_ZONE", "FLEET_HEARTBEAT_URL"
TOPIC, SNS_URL, SNS_LOGIN = "FLEET_SNS_TOPIC_ARN", "FLEET_SNS_URL", "FLEET_SNS_CREDENTIALS_FILE"
SMS = "FLEET_SMS_FILE"
INPUTS = (URL, PASSWORD, AUTHORITY, SENDER, TO, TO_CRITICAL, QUIET, ZONE, HEARTBEAT, TOPIC, SNS_URL,
          SNS_LOGIN, SMS)  # fmt: skip
# Files of people, and the secrets of the home that are their copies, for whoever runs the servers.
COPIED_FILES = {
    PASSWORD: "smtp_password",
    AUTHORITY: "smtp_ca.pem",
    SNS_LOGIN: "sns_credentials",
    SMS: "sms.toml",
}
# Addresses that are secrets as a whole: who knows one can use it.
SECRET_URLS = {HEARTBEAT: "heartbeat_url"}
ADDRESS = re.compile(r"[^\s@,;<>\"'\\]+@[^\s@,;<>\"'\\]+")
HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
ARN = re.compile(r"arn:aws[\w-]*:sns:[a-z0-9-]+:\d{12}:[\w.-]+")

Quiet = tuple[str, str]  # begin and end of a range within a day, as Alertmanager writes it


def parse_mailboxes(variable: str, value: str) -> str:
    """Return addresses with commas between them. Raises PagingError for anything else."""
    found = [one.strip() for one in value.split(",")]
    wrong = [one for one in found if not ADDRESS.fullmatch(one)]
    if wrong:
        raise PagingError(
            f"{variable} holds {wrong[0]!r}, which is no mail address; write a@example.org, or "
            "several with commas between them"
        )
    return ", ".join(found)


def parse_sender(variable: str, value: str) -> str:
    """Return one mail address. Raises PagingError for anything else."""
    if not ADDRESS.fullmatch(value):
        raise PagingError(f"{variable} is {value!r}, which is no mail address like a@example.org")
    return value


def split_quiet_hours(value: str) -> list[Quiet]:
    """Return the ranges of a day in which it is quiet; two where midnight lies between."""
    if not value:
        return []
    begin, _, end = value.partition("-")
    if begin < end:
        return [(begin, end)]
    return [(begin, "24:00"), *([("00:00", end)] if end != "00:00" else [])]


def parse_quiet_hours(variable: str, value: str) -> str:
    """Return HH:MM-HH:MM as it is. Raises PagingError for anything else."""
    begin, _, end = value.partition("-")
    if not HOURS.fullmatch(value) or begin == end:
        raise PagingError(f"{variable} is {value!r}; write begin and end of a day: 22:00-07:00")
    return value


def parse_zone(variable: str, value: str) -> str:
    """Return the name of a time zone. Raises PagingError for one that this machine lacks."""
    try:
        return zoneinfo.ZoneInfo(value).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise PagingError(
            f"{variable} is {value!r}, which this machine does not know; write a name like "
            "Europe/Berlin (`ls /usr/share/zoneinfo`; Debian: apt-get install tzdata)"
        ) from exc


def parse_web(variable: str, value: str) -> str:
    """Return a web address. Raises PagingError, without the value: it may be a secret."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PagingError(f"{variable} is no address that starts with https:// and names a host")
    return value


def parse_topic(variable: str, value: str) -> str:
    """Return the name of a topic of Amazon SNS. Raises PagingError for anything else."""
    if not ARN.fullmatch(value):
        raise PagingError(f"{variable} is {value!r}; write arn:aws:sns:REGION:ACCOUNT:TOPIC")
    return value


def parse_server(variable: str, value: str) -> str:
    """Return the address of a mail server as it is. Raises PagingError for anything else."""
    parse_smtp(variable, value)
    return value


PARSERS: Mapping[str, Callable[[str, str], str]] = {
    URL: parse_server,
    SENDER: parse_sender,
    TO: parse_mailboxes,
    TO_CRITICAL: parse_mailboxes,
    QUIET: parse_quiet_hours,
    ZONE: parse_zone,
    HEARTBEAT: parse_web,
    TOPIC: parse_topic,
    SNS_URL: parse_web,
}


def find_server(settings: Mapping[str, str]) -> Smtp | None:
    """Return the mail server that takes our mails; None when they stay on this machine."""
    return parse_smtp(URL, settings[URL]) if settings.get(URL) else None


def decide_sender(settings: Mapping[str, str], server: Smtp) -> str:
    """Return the address that mails come from: as set, else the login, where that is one."""
    return settings.get(SENDER) or server.user


def find_recipients(settings: Mapping[str, str]) -> tuple[str, str]:
    """Return who gets mails, and who gets those of critical alerts; empty when nobody is named."""
    everybody = settings.get(TO, "")
    return everybody, settings.get(TO_CRITICAL) or everybody


def check_paging(settings: Mapping[str, str]) -> None:
    """Raise PagingError when one setting lacks another."""
    server = find_server(settings)
    if server is None:
        lost = [name for name in (PASSWORD, AUTHORITY, SENDER, TO, TO_CRITICAL) if name in settings]
        if lost:
            raise PagingError(
                f"{lost[0]} is set without {URL}, so that no mail would leave this machine; "
                f"set {URL}=smtp://USER@HOST:587 too, or unset {lost[0]}"
            )
        return
    if not settings.get(TO):
        raise PagingError(f"{URL} is set without {TO}; set it to the addresses that get the mails")
    if not ADDRESS.fullmatch(decide_sender(settings, server)):
        raise PagingError(f"{URL} is set without {SENDER}; set it to the address mails come from")
    if server.user and not settings.get(PASSWORD):
        raise PagingError(
            f"{URL} names the user {server.user} without a password; write it to a file that only "
            f"you can read, and name that by {PASSWORD}"
        )
    if not server.user and settings.get(PASSWORD):
        raise PagingError(f"{PASSWORD} is set, but {URL} names no user; write smtp://USER@HOST")
