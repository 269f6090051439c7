"""Post a test alert, wait until each receiver has sent it, and post its end."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fleet_stack.home import StackError
from fleet_stack.trial.ways import (
    count_held,
    count_sent,
    parse_bridge_refusal,
    parse_refusal,
    read_from,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fleet_stack.trial.ways import Way

ALERT = "FleetTest"
TIMEOUT_SECONDS = 5.0
POLL_SECONDS = 0.1
# Alertmanager gathers for so long before it sends; what is counted earlier is about another alert.
QUIET_SECONDS = {"critical": 0.3, "warning": 29.5}
# From the alert to the message at the latest.
WAIT_SECONDS = {"critical": 20.0, "warning": 50.0}


@dataclass(frozen=True)
class Result:
    """What became of a message: after how many seconds, or why not."""

    way: Way
    seconds: float | None
    reason: str = ""


@dataclass(frozen=True)
class Stand:
    """Where one looks: Alertmanager, the bridge (empty without one), the folder of logs."""

    alertmanager_url: str
    bridge_url: str
    logs: Path

    def read_page(self, way: Way) -> str:
        """Return the metrics of whoever sends."""
        url = self.bridge_url if way.integration == "sms" else self.alertmanager_url
        return ask(f"{url}/metrics")

    def log(self, way: Way) -> Path:
        """Return the log of whoever sends."""
        return self.logs / ("sms-bridge.log" if way.integration == "sms" else "alertmanager.log")


# Loopback is never behind a proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url: str, body: bytes | None = None) -> str:
    """Return a page. Raises StackError when it does not come."""
    request = urllib.request.Request(  # noqa: S310 - an address of ours
        url, body, {"Content-Type": "application/json"}
    )
    try:
        with _opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return str(answer.read().decode())
    except (OSError, ValueError) as exc:
        raise StackError(
            f"{url} does not answer ({getattr(exc, 'reason', exc)}); see `./fleet status`"
        ) from exc


def render_alert(severity: str, test: str, *, is_over: bool, now: datetime) -> dict[str, Any]:
    """Return a test alert as Prometheus would hand it in."""
    return {
        "labels": {"alertname": ALERT, "severity": severity, "test": test},
        "annotations": {
            "summary": "This is a test.",
            "description": f"Somebody called `fleet alerts test`; a {severity} alert looks so.",
            "dashboard": "fleet-overview",
            "runbook": "Watchdog",
        },
        "startsAt": now.isoformat(),  # from then on Alertmanager gathers
        "endsAt": (now if is_over else now + timedelta(minutes=3)).isoformat(),
    }


def run(
    stand: Stand, ways: Sequence[Way], severity: str, seconds: float | None = None
) -> list[Result]:
    """Send a test alert of a severity; return what became of it on each way."""
    url, test = f"{stand.alertmanager_url}/api/v2/alerts", uuid.uuid4().hex[:8]
    offsets = {way: len(read_from(stand.log(way), 0).encode()) for way in ways}
    began, limit = time.monotonic(), WAIT_SECONDS[severity] if seconds is None else seconds
    alert = render_alert(severity, test, is_over=False, now=datetime.now(UTC))
    ask(url, json.dumps([alert]).encode())
    time.sleep(QUIET_SECONDS[severity])
    pages = {way: stand.read_page(way) for way in ways}
    before = {way: count_sent(page, way) for way, page in pages.items()}
    held = {way: count_held(page) for way, page in pages.items()}
    sent: dict[Way, float] = {}
    while len(sent) < len(ways) and time.monotonic() - began < limit:
        for way in ways:
            if way not in sent and count_sent(stand.read_page(way), way) > before[way]:
                sent[way] = time.monotonic() - began
        time.sleep(POLL_SECONDS)
    over = render_alert(severity, test, is_over=True, now=datetime.now(UTC))
    ask(url, json.dumps([{**over, "startsAt": alert["startsAt"]}]).encode())
    return [
        Result(
            way, sent.get(way), "" if way in sent else explain(stand, way, offsets[way], held[way])
        )
        for way in ways
    ]


def explain(stand: Stand, way: Way, offset: int, held: float) -> str:
    """Return why nothing was sent."""
    if count_held(stand.read_page(way)) > held:
        return "the bridge held it back: it has sent as many messages as FLEET_SMS_FILE lets it"
    log = read_from(stand.log(way), offset)
    said = parse_bridge_refusal(log) if way.integration == "sms" else parse_refusal(log, way)
    return said or "nothing was sent; a silence, or quiet hours, may hold it back"
