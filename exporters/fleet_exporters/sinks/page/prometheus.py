"""
Render the scrape page. It is rendered when readings come, never when somebody asks for it.

Two halves: the machine's, new at each tick, and the worker's, new whenever its counters change.
"""

from __future__ import annotations

import gzip
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_exporters.sample import Sample
from fleet_exporters.sinks.page.access import Access
from fleet_exporters.sinks.page.budget import SERIES_MAX, WORKER_RESERVE, Values, cut, cut_counters
from fleet_exporters.sinks.page.text_format import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_exporters.sample import Tick

logger = logging.getLogger(__name__)

GZIP_LEVEL = 1  # a third larger than level 9, at a fifth of its price


@dataclass(frozen=True)
class Page:
    """Ready bytes; `read_at` is monotonic seconds of the machine's half."""

    body: bytes
    gzipped: bytes
    read_at: float


class Exposition:
    """Holds the page that is served; written by the tick, read by the server's threads."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, access: Access | None = None
    ) -> None:
        #: who may read it
        self.access = access or Access()
        self._clock = clock
        self._machine = b""
        self._worker = b""
        self._machine_series = 0
        self._worker_series = 0
        self._values = Values()
        self._cut = {"machine": 0, "worker": 0}
        self._cut_total = 0
        self._read_at = -1.0
        self._page: Page | None = None
        self._lock = threading.Lock()

    def publish(self, tick: Tick) -> None:
        """Replace the machine's half."""
        with self._lock:
            room = SERIES_MAX - max(self._worker_series, WORKER_RESERVE)
            kept, cut_series = cut(tick.samples, room - 1)
            self._note_cut("machine", cut_series)
            kept.append(Sample("fleet_page_series_cut_total", {}, self._cut_total))
            self._machine, self._machine_series = render(kept), len(kept)
            self._read_at = self._clock()
            self._join()

    def publish_counters(self, samples: list[Sample]) -> None:
        """Replace the worker's half; before the first tick there is no page to put it on."""
        with self._lock:
            room = SERIES_MAX - self._machine_series if self._machine else WORKER_RESERVE
            kept, cut_series = cut_counters(self._values.cap(samples), room)
            self._note_cut("worker", cut_series)
            self._worker, self._worker_series = render(kept), len(kept)
            if self._machine:
                self._join()

    def _note_cut(self, half: str, series: int) -> None:
        self._cut_total += series
        if series and not self._cut[half]:
            logger.warning(
                "page has too many series; the largest metrics are cut",
                extra={"half": half, "series": series},
            )
        self._cut[half] = series

    def _join(self) -> None:
        body = self._machine + self._worker
        self._page = Page(body, gzip.compress(body, GZIP_LEVEL, mtime=0), self._read_at)

    def page(self) -> Page | None:
        """Return what to serve; None before the first tick."""
        return self._page
