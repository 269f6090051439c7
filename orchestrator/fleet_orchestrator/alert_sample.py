"""
Sample what the alerting rules of Prometheus say, for the history of alerts.

Alertmanager tells nobody of what is silenced or inhibited; Prometheus knows it. A thread reads, so
that a Prometheus that hangs stops no master. By hand: `curl PROMETHEUS/api/v1/rules?type=alert`.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
from fleet_timescale.events import INFO, WARNING, Event, derive_id, render_duration
from fleet_timescale.text import clean

from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.model_server.backends.ask import AskError, read_bounded

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)
SAMPLE_SECONDS = 15.0
# Prometheus starts after us, and restarts within seconds: neither is worth an event.
SILENT_SECONDS = 60.0
TIMEOUT_SECONDS = 4.0
BYTES_MAX = 16_000_000  # a thousand alerts are one million
# Not /api/v1/alerts: only here stands whether a rule was evaluated at all since Prometheus began,
# and for how long its condition has to last.
PATH = "/api/v1/rules?type=alert"

Rule = dict[str, Any]  # as fleet.sample_alerts takes it


class SampleError(OrchestratorError):
    """Prometheus does not say what its rules say."""


def parse_rules(content: bytes) -> list[Rule]:
    """
    Return each alerting rule with the alerts that are pending or fire, and since when they do.

    Raises SampleError for what is no answer of Prometheus.
    """
    try:
        groups = json.loads(content)["data"]["groups"]
        found = [
            rule
            for group in groups
            for rule in group["rules"]
            # One of severity none is for programs, such as the watchdog, which always fires.
            if rule["type"] == "alerting" and rule.get("labels", {}).get("severity") != "none"
        ]
        firing = {_key(alert) for rule in found for alert in rule["alerts"] if _fires(alert)}
        return [
            {
                "alertname": clean(rule["name"]),
                "evaluated_at": rule["lastEvaluation"],
                "alerts": [
                    parse_alert(alert, rule["duration"])
                    for alert in rule["alerts"]
                    # Two rules may give the same labels: to everybody else that is one alert.
                    if _fires(alert) or _key(alert) not in firing
                ],
            }
            for rule in found
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as exc:
        raise SampleError(f"its answer is not that of a Prometheus ({exc!r:.100})") from exc


def _fires(alert: dict[str, Any]) -> bool:
    return bool(alert["state"] == "firing")


def _key(alert: dict[str, Any]) -> frozenset[tuple[str, str]]:
    return frozenset(alert["labels"].items())


def parse_alert(alert: dict[str, Any], duration: float) -> Rule:
    """Return an alert of a rule whose condition has to last for `duration` seconds."""
    since = datetime.fromisoformat(alert["activeAt"])
    if _fires(alert):
        since += timedelta(seconds=duration)
    return {
        "labels": {clean(name): clean(value) for name, value in alert["labels"].items()},
        "summary": clean(alert["annotations"].get("summary", "")),
        "state": "firing" if _fires(alert) else "pending",
        "since": since.isoformat(),
    }


def read_rules(url: str, transport: httpx2.BaseTransport | None = None) -> list[Rule]:
    """Return what the rules of a Prometheus say now. Raises SampleError."""
    try:
        with (
            httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False, transport=transport) as client,
            client.stream("GET", f"{url}{PATH}") as response,
        ):
            content = read_bounded(response.iter_bytes(), time.monotonic, BYTES_MAX)
            status = response.status_code
    except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
        raise SampleError(f"it does not answer ({type(exc).__name__})") from exc
    except AskError as exc:
        raise SampleError(str(exc)) from exc
    if status != httpx2.codes.OK:
        raise SampleError(f"it answered {status}")
    return parse_rules(content)


@dataclass(frozen=True)
class Silence:
    """Since when Prometheus does not answer, and why; `ended` is when it did again."""

    since: datetime
    error: str
    is_told: bool = False
    ended: datetime | None = None


def _now() -> datetime:
    return datetime.now(UTC)


class AlertSampler:
    """What Prometheus said last, and whether it says anything."""

    def __init__(
        self,
        url: str,
        read: Callable[[str], list[Rule]] = read_rules,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """`url` may hold a login, which no message does."""
        self._url, self._read, self._now = url, read, now
        self._where = f"Prometheus at {urlsplit(url).netloc.rpartition('@')[2]}"
        self._lock = threading.Lock()
        self._newest: list[Rule] | None = None
        self._silence: Silence | None = None

    def run(self, stop: threading.Event) -> None:
        """Look each 15 seconds until told to stop."""
        while True:
            try:
                self.look()
            except Exception:  # what is wrong with one look must not end all others
                logger.exception("Failed to sample alerts.")
            if stop.wait(SAMPLE_SECONDS):
                return

    def look(self) -> None:
        """Ask Prometheus once."""
        rules, error = None, ""
        try:
            rules = self._read(self._url)
        except SampleError as exc:
            error = str(exc)
        with self._lock:
            self._newest = rules
            self._silence = decide_silence(self._silence, error, self._now())

    def take(self) -> list[Rule] | None:
        """Return what was not taken yet; None where there is nothing."""
        with self._lock:
            rules, self._newest = self._newest, None
            return rules

    def find_news(self) -> Event | None:
        """Return what is to be told: that Prometheus is silent, or answers again."""
        with self._lock:
            return describe_silence(self._where, self._silence, self._now())

    def note_told(self) -> None:
        """Remember that the news were told."""
        with self._lock:
            silence = self._silence
            if silence is not None:
                self._silence = None if silence.ended else replace(silence, is_told=True)


def decide_silence(silence: Silence | None, error: str, now: datetime) -> Silence | None:
    """Return how it stands after another look; `error` is empty when Prometheus answered."""
    if error:
        if silence is None or silence.ended is not None:
            return Silence(now, error)
        return replace(silence, error=error)
    if silence is None or not silence.is_told:
        return None
    return silence if silence.ended else replace(silence, ended=now)


def describe_silence(where: str, silence: Silence | None, now: datetime) -> Event | None:
    """Return what is to be told of a silence, with an id that it keeps; None when nothing is."""
    if silence is None:
        return None
    told = derive_id("prometheus", where, silence.since)
    lasted = ((silence.ended or now) - silence.since).total_seconds()
    if silence.ended:
        said = f"{where} answers again, after {render_duration(lasted)}."
        return Event(derive_id(told, "ended"), silence.ended, INFO, "prometheus_answers", said)
    if silence.is_told or lasted < SILENT_SECONDS:
        return None
    said = (
        f"{where} has not answered for {render_duration(lasted)}: {silence.error}. Until it does, "
        "the history of alerts has only what Alertmanager delivers."
    )
    return Event(told, silence.since, WARNING, "prometheus_silent", said)
