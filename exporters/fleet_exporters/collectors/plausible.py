"""Tell what a temperature sensor measures from what it says while it measures nothing. Pure."""

from __future__ import annotations

from fleet_exporters.catalogue import CELSIUS

# An input of a board chip to which nothing is wired says one of these, and stays there.
FLOATING = (127.0, 127.5, 128.0, -128.0, 255.0)
UNUSED_LABEL = "PCH_"  # the chipset's own readings on boards that do not pass them on: always 0
JUMP_CELSIUS = 10.0  # between two readings; desktop CPUs do that, a Raspberry Pi's firmware errs

DOUBT_READINGS = 4  # how long a jump can be confirmed; a load that comes and goes jumps again


def find_fault(label: str, celsius: float) -> str:
    """Return why this is no temperature; empty when it may be one."""
    if celsius in FLOATING:
        return f"says {celsius:g} °C: nothing is connected"
    if celsius == 0 and label.startswith(UNUSED_LABEL):
        return "says 0 °C: the board does not tell it"
    return ""


class Jumps:
    """Believes a jump when a reading soon after lies on the same side; a single spike never."""

    def __init__(self) -> None:
        self._believed: dict[str, float] = {}
        #: on which side of what is believed the last jump went, and how many readings ago
        self._doubts: dict[str, tuple[bool, int]] = {}

    def is_confirmed(self, sensor: str, celsius: float) -> bool:
        """Tell whether to believe this reading; remembers it for the next."""
        low, high = CELSIUS
        if not low <= celsius <= high:
            return True  # the sampler drops it
        believed = self._believed.get(sensor, celsius)
        is_above, age = self._doubts.pop(sensor, (None, 0))
        is_jump = abs(celsius - believed) > JUMP_CELSIUS
        if not is_jump or is_above == (celsius > believed):
            self._believed[sensor] = celsius
            if not is_jump and is_above is not None and age < DOUBT_READINGS:
                self._doubts[sensor] = is_above, age + 1
            return True
        self._doubts[sensor] = celsius > believed, 1
        return False
