"""Play drills, as many at the same time as may be: each in a thread of its own."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING

import psutil
import psycopg
from fleet_timescale.errors import FleetError

from fleet_twin.rehearse.alerts.drill import Drill, Row
from fleet_twin.rehearse.scene import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fleet_twin.rehearse.alerts.stage import Stage
    from fleet_twin.rehearse.alerts.watch import Watch

LOOK_SECONDS = 0.5
MAIL_SECONDS = 180.0  # after it has fired: a warning waits for half a minute, a group as long
QUIET_SECONDS = 360.0  # in which what fires already may end; some alerts are kept for minutes
PROGRESS_SECONDS = 20.0
JOIN_SECONDS = 10.0
ERRORS = (FleetError, psycopg.Error, psutil.Error, OSError)


class Play:
    """The drills that go on; `open` holds what ends those that are under way."""

    def __init__(
        self, stage: Stage, watch: Watch, tell: Callable[[str], object] = lambda _: None
    ) -> None:
        self._stage = stage
        self._watch = watch
        self._tell = tell
        self._over: dict[str, threading.Event] = {}
        self._rows: queue.Queue[Row] = queue.Queue()
        self._ends: dict[str, Callable[[], object]] = {}
        self._waiting: dict[str, str] = {}
        self._began = time.time()

    def run(self, drills: Sequence[Drill]) -> Iterator[Row]:
        """Yield the rows as they become known; whatever happens, every fault is ended."""
        self._over = {drill.name: threading.Event() for drill in drills}
        threads = [
            threading.Thread(target=self._play, args=(drill,), name=drill.name, daemon=True)
            for drill in drills
        ]
        for thread in threads:
            thread.start()
        left = sum(len(drill.expected) for drill in drills)
        try:
            while left:
                try:
                    yield self._rows.get(timeout=PROGRESS_SECONDS)
                    left -= 1
                except queue.Empty:
                    self._tell(self._render_progress(left))
        finally:
            self._stage.is_over.set()
            for thread in threads:
                thread.join(JOIN_SECONDS)
            for end in list(self._ends.values()):
                try:
                    end()
                except ERRORS as exc:
                    self._tell(f"could not be ended: {exc}")

    def _render_progress(self, left: int) -> str:
        minutes, seconds = divmod(int(time.time() - self._began), 60)
        doing = ", ".join(f"{fault} {what}" for fault, what in sorted(self._waiting.items()))
        return f"{minutes:>3}:{seconds:02d}  {left} alerts to go; {doing}"

    def _play(self, drill: Drill) -> None:
        try:
            for row in self._rehearse(drill):
                self._rows.put(row)
        except ERRORS as exc:
            for expected in drill.expected:
                self._rows.put(Row(drill.name, expected.alert, is_miss=True, note=str(exc)))
        finally:
            self._waiting.pop(drill.name, None)
            self._over[drill.name].set()

    def _rehearse(self, drill: Drill) -> Sequence[Row]:
        for fault in drill.after:
            if fault in self._over:
                self._over[fault].wait()
        if drill.ends and not self._wait(lambda: not self._list_firing(drill), QUIET_SECONDS):
            raise RehearsalError(f"{self._list_firing(drill)[0]} fires already")
        self._waiting[drill.name] = "begins"
        began = time.time()
        end = drill.begin(self._stage)
        self._ends[drill.name] = end
        if drill.is_blow:
            self._over[drill.name].set()
        try:
            self._waiting[drill.name] = "is to fire"
            self._wait(lambda: self._have_fired(drill, began), drill.fire_seconds)
            if not drill.holds_mail:
                self._waiting[drill.name] = "is to be mailed"
                self._wait(lambda: self._have_come(drill, began), MAIL_SECONDS)
        finally:
            self._ends.pop(drill.name)
            end()
        ended = time.time()
        self._over[drill.name].set()
        if drill.ends:
            self._waiting[drill.name] = "is to clear"
            self._wait(lambda: not self._list_firing(drill), drill.clear_seconds)
        if drill.holds_mail:
            self._wait(lambda: self._have_come(drill, began), MAIL_SECONDS)
        return [
            self._make_row(drill, number, began, ended) for number in range(len(drill.expected))
        ]

    def _make_row(self, drill: Drill, number: int, began: float, ended: float) -> Row:
        expected, watch = drill.expected[number], self._watch
        fired = watch.find_fired(expected, began if drill.ends else 0.0)
        mailed = watch.find_mail(expected, began) if expected.has_mail else None
        cleared = watch.find_cleared(expected) if drill.ends else None
        problems = [
            *(["did not fire"] if fired is None else []),
            *(["no mail came"] if expected.has_mail and mailed is None else []),
            *(["did not clear"] if fired and drill.ends and cleared is None else []),
        ]
        return Row(
            drill.name,
            expected.alert,
            fired and max(0.0, fired - began),
            mailed and mailed - began,
            cleared and max(0.0, cleared - ended),
            bool(problems),
            ", ".join(problems) or (expected.where or ""),
        )

    def _list_firing(self, drill: Drill) -> list[str]:
        return [each.alert for each in drill.expected if self._watch.is_firing(each)]

    def _have_fired(self, drill: Drill, began: float) -> bool:
        since = began if drill.ends else 0.0
        return all(self._watch.find_fired(e, since) is not None for e in drill.expected)

    def _have_come(self, drill: Drill, began: float) -> bool:
        fired = [e for e in drill.expected if e.has_mail and self._watch.find_fired(e, began)]
        return all(self._watch.find_mail(each, began) is not None for each in fired)

    def _wait(self, is_true: Callable[[], bool], seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > until or self._stage.is_over.is_set():
                return False
            time.sleep(LOOK_SECONDS)
        return True
