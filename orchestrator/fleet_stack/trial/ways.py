"""The ways to people, and how one sees that a message has gone it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_stack.home import MANAGED, StackError
from fleet_stack.paging import find_recipients

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fleet_stack.home import Decision

REQUESTS = "alertmanager_notification_requests_total"
FAILED = "alertmanager_notification_requests_failed_total"
BRIDGE_SENT = "fleet_sms_sent_total"
BRIDGE_NOTICES = "fleet_sms_notices_total"
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
REFUSAL = re.compile(r"receiver=(\S+) integration=(\w+)\[\d+\].*? err=(\"(?:[^\"\\]|\\.)*\"|\S+)")
SEVERITIES = ("critical", "warning")


@dataclass(frozen=True)
class Way:
    """A receiver, the kind of message that it sends, and to where, for people."""

    receiver: str
    integration: str  # email, sns; or sms, which the bridge sends
    goal: str


def find_ways(decision: Decision, settings: Mapping[str, str], severity: str) -> list[Way]:
    """Return where an alert of this severity goes."""
    mail = decision.parts["mail"]
    goal = "into the mail folder only: nobody gets it"
    if mail.state != MANAGED:
        everybody, critical = find_recipients(settings)
        goal = f"to {critical if severity == 'critical' else everybody}, by {mail.url}"
    ways = [Way(f"{severity}-mail", "email", goal)]
    if severity == "critical" and decision.parts["sms-bridge"].state == MANAGED:
        ways.append(Way("critical-sms", "sms", "as a text message, by the SMS bridge"))
    if severity == "critical" and settings.get("FLEET_SNS_TOPIC_ARN"):
        ways.append(Way("critical-sns", "sns", f"to {settings['FLEET_SNS_TOPIC_ARN']}"))
    return ways


def parse_samples(page: str) -> dict[str, float]:
    """Return the values of a metrics page by name and labels, as they stand there."""
    return {f"{name}{{{labels}}}": float(value) for name, labels, value in SAMPLE.findall(page)}


def count_sent(page: str, way: Way) -> float:
    """Return how many messages have gone this way so far."""
    samples = parse_samples(page)
    if way.integration == "sms":
        return samples.get(f'{BRIDGE_SENT}{{outcome="sent"}}', 0.0)
    return _sum(samples, REQUESTS, way) - _sum(samples, FAILED, way)


def count_held(page: str) -> float:
    """Return how many notices the cap of the SMS bridge has held back."""
    return parse_samples(page).get(f'{BRIDGE_NOTICES}{{fate="held_back"}}', 0.0)


def _sum(samples: Mapping[str, float], name: str, way: Way) -> float:
    # Alertmanager may add labels of its own, such as the receiver's name.
    wanted = f'integration="{way.integration}"'
    return sum(
        value for key, value in samples.items() if key.startswith(f"{name}{{") and wanted in key
    )


def parse_refusal(log: str, way: Way) -> str:
    """Return the last error that Alertmanager's log has about this way; empty without one."""
    said = [
        error
        for receiver, integration, error in REFUSAL.findall(log)
        if (receiver, integration) == (way.receiver, way.integration)
    ]
    if not said:
        return ""
    return str(json.loads(said[-1])) if said[-1].startswith('"') else said[-1]


def parse_bridge_refusal(log: str) -> str:
    """Return why a text message could not be sent, from the bridge's log; else empty."""
    said = ""
    for line in log.splitlines():
        try:
            said = str(json.loads(line).get("reason") or said)
        except (ValueError, AttributeError):
            continue  # a line that a crash has left
    return said


def read_from(path: Path, offset: int) -> str:
    """Return what was written to a log since; all of it, where it was begun anew."""
    try:
        with path.open("rb") as file:
            file.seek(offset if path.stat().st_size >= offset else 0)
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise StackError(f"{path} cannot be read ({exc.strerror}); use the user of `up`") from exc
