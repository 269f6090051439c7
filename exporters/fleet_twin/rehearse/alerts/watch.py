"""Looks each half second which alerts fire and which mails have come."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet_twin.rehearse.scene import RehearsalError, ask_prometheus

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping

    from fleet_twin.rehearse.alerts.drill import Expected
    from fleet_twin.rehearse.alerts.mails import MailFolder

LOOK_SECONDS = 0.5


@dataclass
class Spell:
    """One time for which an alert has fired; None while it still does. Unix times."""

    labels: Mapping[str, str]
    began: float
    ended: float | None = None


class Watch:
    """All spells so far. While Prometheus does not answer, nothing is known to have changed."""

    def __init__(
        self, prometheus: str, folder: MailFolder, now: Callable[[], float] = time.time
    ) -> None:
        self._prometheus = prometheus
        self._folder = folder
        self._now = now
        self._open: dict[tuple[tuple[str, str], ...], Spell] = {}
        self.spells: list[Spell] = []

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop."""
        while not stop.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Look once at alerts and mails."""
        self._folder.look()
        alerts = read_alerts(self._prometheus)
        if alerts is not None:
            self.take(alerts)

    def take(self, alerts: Iterable[dict[str, Any]]) -> None:
        """Note which alerts have begun to fire, and which have ended."""
        now, left = self._now(), dict(self._open)
        for alert in alerts:
            if alert["state"] != "firing":
                continue
            labels = alert["labels"]
            key = tuple(sorted(labels.items()))
            if left.pop(key, None) is None:
                spell = Spell(labels, now)
                self._open[key] = spell
                self.spells.append(spell)
        for key, spell in left.items():
            spell.ended = now
            del self._open[key]

    def find_fired(self, expected: Expected, since: float) -> float | None:
        """Return when an alert began to fire, at or after a time."""
        found = [s.began for s in self._list(expected) if s.began >= since]
        return min(found, default=None)

    def is_firing(self, expected: Expected) -> bool:
        """Tell whether it fires now."""
        return any(spell.ended is None for spell in self._list(expected))

    def find_cleared(self, expected: Expected) -> float | None:
        """Return when it last ended; None while it fires."""
        ends = [spell.ended for spell in self._list(expected)]
        known = [each for each in ends if each is not None]
        return None if len(known) < len(ends) else max(known, default=None)

    def find_mail(self, expected: Expected, since: float) -> float | None:
        """Return when the first mail came that told of it."""
        found = [
            mail.at
            for mail in list(self._folder.mails)
            if mail.at >= since and mail.tells_of(expected.alert, expected.where)
        ]
        return min(found, default=None)

    def _list(self, expected: Expected) -> list[Spell]:
        return [s for s in list(self.spells) if expected.matches(s.labels)]


def read_alerts(prometheus: str) -> list[dict[str, Any]] | None:
    """Return the alerts that are pending or fire; None while Prometheus does not answer."""
    return _read(prometheus, "/api/v1/alerts", "alerts")


def read_rules(prometheus: str) -> list[str]:
    """Return the names of all alerts that have a rule; none while Prometheus does not answer."""
    groups = _read(prometheus, "/api/v1/rules?type=alert", "groups") or []
    return [rule["name"] for group in groups for rule in group["rules"]]


def _read(prometheus: str, path: str, key: str) -> list[Any] | None:
    try:
        found: list[Any] = ask_prometheus(prometheus, path)[key]
    except RehearsalError:
        return None
    return found
