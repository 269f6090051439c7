"""
Who sends the text messages, as the file that FLEET_SMS_FILE names says it (TOML).

Pure: from the text of the file to the HTTP request of one message.
"""

from __future__ import annotations

import base64
import json
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from fleet_sms.errors import SmsError

if TYPE_CHECKING:
    from collections.abc import Mapping

TWILIO, HTTP = "twilio", "http"
TWILIO_URL = "https://api.twilio.com"
NUMBER = re.compile(r"\+[1-9]\d{6,14}")  # E.164
NUMBERS_MAX, PER_HOUR, PER_HOUR_MAX = 10, 10, 60
BODIES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}
SHARED = {"provider", "to", "from", "per_hour", "url"}
OWN = {TWILIO: {"account", "token"}, HTTP: {"method", "body", "headers", "fields"}}


@dataclass(frozen=True)
class Call:
    """One HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Provider:
    """Numbers, how many messages each gets an hour at most, and how one message is sent."""

    kind: str
    numbers: tuple[str, ...]
    per_hour: int = PER_HOUR
    sender: str = ""
    url: str = ""
    account: str = ""
    token: str = ""
    method: str = "POST"
    body: str = "json"
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    def render(self, number: str, text: str) -> Call:
        """Return the request that sends a text to a number."""
        if self.kind == TWILIO:
            login = base64.b64encode(f"{self.account}:{self.token}".encode()).decode()
            content = {"To": number, "From": self.sender, "Body": text}
            return Call(
                "POST",
                f"{self.url or TWILIO_URL}/2010-04-01/Accounts/{self.account}/Messages.json",
                {"Authorization": f"Basic {login}", "Content-Type": BODIES["form"]},
                urlencode(content).encode(),
            )
        values = {"{to}": number, "{text}": text, "{from}": self.sender}
        url = fill(self.url, {name: quote(value, safe="") for name, value in values.items()})
        content = {name: fill(value, values) for name, value in self.fields.items()}
        if not content:
            return Call(self.method, url, self.headers)
        told = json.dumps(content) if self.body == "json" else urlencode(content)
        headers = {"Content-Type": BODIES[self.body], **self.headers}
        return Call(self.method, url, headers, told.encode())


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in the place of their names, in one pass: a text may contain such a name."""
    return re.sub(r"\{(?:to|text|from)\}", lambda found: values[found.group()], template)


def parse_provider(text: str) -> Provider:
    """Return what the file says. Raises SmsError that names what is wrong; shows no secret."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise SmsError(f"FLEET_SMS_FILE is no TOML: {exc}") from exc
    kind = told.get("provider")
    if kind not in OWN:
        raise SmsError(f"FLEET_SMS_FILE: provider must be {TWILIO!r} or {HTTP!r}, not {kind!r}")
    strange = sorted(told.keys() - SHARED - OWN[kind])
    if strange:
        known = ", ".join(sorted(SHARED | OWN[kind]))
        raise SmsError(f"FLEET_SMS_FILE: {kind} knows no {strange[0]!r}; it knows {known}")
    made = Provider(
        kind=kind,
        numbers=_parse_numbers(told.get("to")),
        per_hour=_parse_count(told.get("per_hour", PER_HOUR)),
        sender=_parse_text(told, "from"),
        url=_parse_url(told),
        account=_parse_text(told, "account"),
        token=_parse_text(told, "token"),
        method=_parse_text(told, "method", "POST" if told.get("fields") else "GET").upper(),
        body=_parse_text(told, "body", "json"),
        headers=_parse_table(told, "headers"),
        fields=_parse_table(told, "fields"),
    )
    _check(made)
    return made


def _check(made: Provider) -> None:
    """Raise SmsError for what is missing or does not fit together."""
    if made.kind == TWILIO:
        needed = {"from": made.sender, "account": made.account, "token": made.token}
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise SmsError(f"FLEET_SMS_FILE: twilio needs {', '.join(missing)}")
        return
    if not made.url:
        raise SmsError("FLEET_SMS_FILE: http needs url, like https://sms.example/send?to={to}")
    if made.body not in BODIES:
        raise SmsError(f"FLEET_SMS_FILE: body must be 'json' or 'form', not {made.body!r}")
    if not re.fullmatch("[A-Z]+", made.method):
        raise SmsError(f"FLEET_SMS_FILE: method must be like POST, not {made.method!r}")
    if "{text}" not in made.url + "".join(made.fields.values()):
        raise SmsError("FLEET_SMS_FILE: neither url nor fields contains {text}, the message")


def _parse_numbers(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or len(value) > NUMBERS_MAX:
        raise SmsError(
            f"FLEET_SMS_FILE: to must be a list of 1 to {NUMBERS_MAX} numbers, like "
            '["+15550100123"]'
        )
    for number in value:
        if not isinstance(number, str) or not NUMBER.fullmatch(number):
            raise SmsError(
                f"FLEET_SMS_FILE: {number!r} in to is no number like +15550100123, with the code "
                "of its country and nothing between the digits"
            )
    return tuple(dict.fromkeys(value))


def _parse_count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= PER_HOUR_MAX:
        raise SmsError(f"FLEET_SMS_FILE: per_hour must be 1 to {PER_HOUR_MAX}, not {value!r}")
    return value


def _parse_text(told: Mapping[str, Any], name: str, default: str = "") -> str:
    value = told.get(name, default)
    if not isinstance(value, str) or not value.isprintable():
        raise SmsError(f"FLEET_SMS_FILE: {name} must be a text in quotes, of one line")
    return value


def _parse_url(told: Mapping[str, Any]) -> str:
    url = _parse_text(told, "url").rstrip("/")
    if url and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
        raise SmsError("FLEET_SMS_FILE: url must start with https:// and name a host")
    return url


def _parse_table(told: Mapping[str, Any], name: str) -> dict[str, str]:
    table = told.get(name, {})
    if not isinstance(table, dict):
        raise SmsError(f'FLEET_SMS_FILE: {name} must be a table: [{name}] and lines KEY = "…"')
    return {key: _parse_text(table, key) for key in table}
