"""
Read NVIDIA GPUs through NVML, also while one of them is lost.

By hand: `nvidia-smi -q`. A card that fell off the bus comes back only after NVML was started anew,
which is tried with growing pauses; the others are read in every tick.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from fleet_exporters.collectors.gpu.nvml import Card, load_nvml
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import Dropped, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

logger = logging.getLogger(__name__)

RETRY_FIRST = 30.0  # seconds; starting NVML anew can take one: not at each tick
RETRY_MAX = 600.0  # seconds
USERS_MAX = 16  # more than this program has threads that use NVML
SILENT = "silent "  # stands for the uuid of a card that cannot be asked for it


class Gpu:
    """Keeps NVML open between ticks and adds up how long clocks were held down."""

    def __init__(
        self,
        load: Callable[[], Any] = load_nvml,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._clock = clock
        self._nvml: Any = None
        self._failure: Exception | None = None
        self._failures = 0
        self._retry_at = float("-inf")
        self._read_at: dict[str, float] = {}
        self._throttled: dict[tuple[str, str], float] = {}
        #: number of each card that was ever seen, by uuid: it keeps it though others go
        self._numbers: dict[str, str] = {}
        self._cards: dict[str, Card] = {}

    def read(self) -> Iterator[Sample | Dropped]:
        """
        Yield what each GPU tells, ordered by number, and whether it is there.

        Raises NoDevice without a GPU; SensorError if all are lost.
        """
        is_whole = self._nvml is not None and self._failure is None
        if not is_whole and self._clock() >= self._retry_at:
            self._restart()
        if self._nvml is None and self._failure is not None:
            raise self._failure.with_traceback(None)
        lost = {gpu: "gone" for gpu in self._numbers.values() if gpu not in self._cards}
        for gpu, card in self._cards.items():
            try:
                yield from card.read()
                yield from self._read_throttling(card)
                yield from card.end()
            except (self._nvml.NVMLError, SensorError) as exc:
                lost[gpu] = str(exc)
            else:
                yield Sample("fleet_gpu_up", {"gpu": gpu}, 1)
        for gpu in lost:
            yield Sample("fleet_gpu_up", {"gpu": gpu}, 0)
        if not lost:
            self._failure, self._failures = None, 0
            return
        problem = "; ".join(f"gpu {gpu}: {why}" for gpu, why in lost.items())
        self._failure = SensorError(f"{problem}; see nvidia-smi")
        if len(lost) == len(self._numbers):
            raise self._failure
        yield from (Dropped(f"gpu {gpu}", why) for gpu, why in lost.items())

    def _restart(self) -> None:
        """Start NVML anew and look for cards; the next try waits twice as long."""
        pause = min(RETRY_MAX, RETRY_FIRST * 2**self._failures)
        self._retry_at = self._clock() + pause
        self._failures = min(self._failures + 1, 10)
        self._close()
        try:
            nvml = self._load()
        except (NoDevice, SensorError) as exc:
            self._failure = exc
            return
        self._nvml = nvml
        try:
            self._cards = self._find_cards(nvml)
        except nvml.NVMLError as exc:
            self._close()
            self._failure = SensorError(f"NVML does not answer: {exc}; see nvidia-smi")
            return
        self._failure = None
        if not self._numbers:
            self._close()
            self._failure = NoDevice("NVML found no GPU")

    def _close(self) -> None:
        nvml, self._nvml, self._cards = self._nvml, None, {}
        if nvml is None:
            return
        # NVML counts who has started it and ends with the last. Others of this process open it
        # again when it says that it is not started; a lost card comes back in no other way.
        for _ in range(USERS_MAX):
            try:
                nvml.nvmlShutdown()
            except nvml.NVMLError as exc:
                logger.debug("NVML is shut down", extra={"answer": str(exc)})
                return

    def _find_cards(self, nvml: Any) -> dict[str, Card]:
        """Return the cards that can be addressed, by number; all are in `_numbers` afterwards."""
        cards = {}
        numbers = {uuid: gpu for uuid, gpu in self._numbers.items() if not uuid.startswith(SILENT)}
        for index in range(nvml.nvmlDeviceGetCount()):
            device, uuid = None, f"{SILENT}{index}"
            try:
                device = nvml.nvmlDeviceGetHandleByIndex(index)
                uuid = str(nvml.nvmlDeviceGetUUID(device))
            except nvml.NVMLError as exc:
                logger.info("GPU is silent", extra={"gpu": index, "error": str(exc)})
                if str(index) in numbers.values():
                    continue  # known by its uuid, and missed there
            gpu = numbers.setdefault(uuid, _choose_number(index, numbers))
            if device is not None:
                cards[gpu] = Card(nvml, device, gpu)
        self._numbers = numbers
        return cards

    def _read_throttling(self, card: Card) -> Iterator[Sample]:
        reasons = card.read_throttling()
        now = self._clock()
        elapsed = now - self._read_at.get(card.gpu, now)
        self._read_at[card.gpu] = now
        for reason, is_held in (reasons or {}).items():
            seconds = self._throttled.get((card.gpu, reason), 0.0) + (elapsed if is_held else 0.0)
            self._throttled[card.gpu, reason] = seconds
            labels = {"gpu": card.gpu, "reason": reason}
            yield Sample("fleet_gpu_throttle_seconds_total", labels, seconds)


def _choose_number(index: int, numbers: Mapping[str, str]) -> str:
    """Return NVML's own number for a new card, the next free one if that is taken."""
    while str(index) in numbers.values():
        index += 1
    return str(index)
