"""All sources of activity signals, read in the background; the tick uses their last results."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fleet_exporters.decision.activity import Signals, merge
from fleet_exporters.errors import NoDevice
from fleet_exporters.reading.background import ABSENT_SECONDS, BackgroundReader
from fleet_exporters.signals import battery, windows
from fleet_exporters.signals.graphics import Graphics
from fleet_exporters.signals.scan import Scan

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection

logger = logging.getLogger(__name__)

SCAN_SECONDS = 1.0  # a game that is known by name stops the worker within two
FAST_SECONDS = 5.0  # what must be noticed at the next tick
SLOW_SECONDS = 10.0  # what costs milliseconds each time
LOGIN_SECONDS = 15.0  # how often a new login is looked for: nobody plays within seconds of it
DEADLINE_SECONDS = 8.0


@dataclass(frozen=True)
class Source:
    """A source of signals: how to read it, how often, and the command that shows the same."""

    name: str
    read: Callable[[], Signals]
    period: float
    by_hand: str
    #: period while the source is absent; `period` if None
    absent_period: float | None = None


def make_sources(
    listed: frozenset[str], read_own_ids: Callable[[], Collection[int]]
) -> tuple[Source, ...]:
    """Return the sources of this system; `listed` are the owner's executables in lower case."""
    scan = Scan(listed, read_own_ids)
    everywhere = (
        Source("processes", scan.read, SCAN_SECONDS if sys.platform == "linux" else SLOW_SECONDS,
               "ps -eo pid,ppid,time,args"),
        Source("graphics", Graphics(scan.is_ours).read, FAST_SECONDS, "nvidia-smi pmon -c 1",
               ABSENT_SECONDS),
        Source("battery", battery.read, FAST_SECONDS, "grep . /sys/class/power_supply/*/online",
               ABSENT_SECONDS),
    )  # fmt: skip
    if sys.platform == "win32":
        return (*everywhere, Source("windows", windows.read, FAST_SECONDS, "query user"))
    # Not at the top: there is neither a D-Bus nor a password file on Windows.
    from fleet_exporters.signals import gamemode, logind, mutter, x11  # noqa: PLC0415

    return (
        *everywhere,
        Source("gamemode", gamemode.read, FAST_SECONDS,
               f"busctl --user status {gamemode.SERVICE}", LOGIN_SECONDS),
        Source("mutter", mutter.read, FAST_SECONDS,
               f"busctl --user status {mutter.SERVICE}", LOGIN_SECONDS),
        Source("logind", logind.read, SLOW_SECONDS, "loginctl list-sessions", ABSENT_SECONDS),
        Source("x11", partial(x11.read, scan.latest), SLOW_SECONDS, "xprintidle", LOGIN_SECONDS),
    )  # fmt: skip


class Watch:
    """Reads every source in the background; logs once when one fails or answers again."""

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self._readers = {
            source: BackgroundReader(
                source.read,
                source.period,
                DEADLINE_SECONDS,
                absent_period=source.absent_period or source.period,
            )
            for source in sources
        }
        self._told: dict[str, str] = {}

    def start(self, stop: threading.Event) -> None:
        """Start reading, until `stop`."""
        for source, reader in self._readers.items():
            reader.start(f"signal {source.name}", stop)

    def read(self) -> Signals:
        """Return the signals known now; never waits."""
        values = []
        for source, reader in self._readers.items():
            outcome = reader.latest()
            self._note(source, outcome.error)
            if outcome.value is not None:
                values.append(outcome.value)
        return merge(values)

    def _note(self, source: Source, error: Exception | None) -> None:
        """Log a change once; absence is not logged, and error texts may differ each time."""
        state = "" if error is None or isinstance(error, NoDevice) else type(error).__name__
        if state != self._told.get(source.name, ""):
            if state:
                extra = {"source": source.name, "error": str(error)}
                logger.warning("activity source fails", extra=extra)
            else:
                logger.info("activity source answers again", extra={"source": source.name})
        self._told[source.name] = state
