"""
Read what a Raspberry Pi's firmware holds back, and whether its supply is too weak.

By hand: `vcgencmd get_throttled; cat /sys/devices/platform/*/*firmware*/get_throttled`. Three
sources, the cheapest first; a source that cannot be read is absent, never 0.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from fleet_exporters.collectors.sysfs import SYS, read_text, read_word
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import Dropped, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COMMAND_TIMEOUT = 1.5  # seconds; the firmware answers in milliseconds

# Bit of the throttled word; sixteen bits higher stands whether it has happened since boot.
REASONS = {"under_voltage": 0, "frequency_capped": 1, "throttled": 2, "soft_temperature_limit": 3}
SINCE_BOOT = 16

#: state by reason, and what has happened since boot
State = tuple[dict[str, bool], dict[str, bool]]


def parse_word(text: str) -> State:
    """Return both halves of `0x50005`, `50005` (sysfs) or `throttled=0x50005` (vcgencmd)."""
    try:
        word = int(text.strip().rpartition("=")[2], 16)
    except ValueError as exc:
        raise SensorError(f"the firmware says {text!r} instead of a throttled word") from exc
    return (
        {reason: bool(word >> bit & 1) for reason, bit in REASONS.items()},
        {reason: bool(word >> SINCE_BOOT + bit & 1) for reason, bit in REASONS.items()},
    )


def read_sysfs(root: Path = SYS) -> State | None:
    """Return what the firmware driver shows; its folder stands elsewhere on each board."""
    for pattern in ("*firmware*/get_throttled", "*/*firmware*/get_throttled"):
        for path in (root / "devices" / "platform").glob(pattern):
            text = read_text(path)
            if text:
                return parse_word(text)
    return None


def read_hwmon(root: Path = SYS) -> State | None:
    """Return what the voltage monitor shows: under-voltage only."""
    for folder in (root / "class" / "hwmon").glob("hwmon*"):
        if read_word(folder / "name") == "rpi_volt":
            alarm = read_text(folder / "in0_lcrit_alarm")
            return None if alarm is None else ({"under_voltage": alarm == "1"}, {})
    return None


def read_vcgencmd() -> State | None:
    """Ask the firmware by its tool; None where the tool is not there."""
    tool = shutil.which("vcgencmd")
    if tool is None:
        return None
    try:
        done = subprocess.run(
            [tool, "get_throttled"],
            capture_output=True, text=True, timeout=COMMAND_TIMEOUT, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as exc:
        raise SensorError(f"vcgencmd get_throttled fails: {exc}; is the user in video?") from exc
    return parse_word(done.stdout)


class Pi:
    """Adds up how long each state has lasted."""

    def __init__(
        self,
        sources: tuple[Callable[[], State | None], ...] = (read_sysfs, read_hwmon, read_vcgencmd),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._read_at: float | None = None
        self._seconds: dict[str, float] = {}

    def read(self) -> Iterator[Sample | Dropped]:
        """Yield state, seconds and what has happened, by reason."""
        found, failures = None, []
        for source in self._sources:
            try:
                found = source()
            except SensorError as exc:
                failures.append(Dropped("throttled state", str(exc)))
            if found is not None:
                break
        yield from failures
        if found is None and failures:
            return  # a source that fails is no missing firmware
        if found is None:
            raise NoDevice("no Raspberry Pi firmware: neither sysfs, hwmon nor vcgencmd")
        now = self._clock()
        elapsed = 0.0 if self._read_at is None else now - self._read_at
        self._read_at = now
        for reason, is_held in found[0].items():
            seconds = self._seconds.get(reason, 0.0) + (elapsed if is_held else 0.0)
            self._seconds[reason] = seconds
            labels = {"reason": reason}
            yield Sample("fleet_pi_throttled", labels, float(is_held))
            yield Sample("fleet_pi_throttled_seconds_total", labels, seconds)
        for reason, has_happened in found[1].items():
            yield Sample("fleet_pi_throttled_since_boot", {"reason": reason}, float(has_happened))
