"""
Read temperatures: the CPU by the best sensor of its driver, and everything else.

By hand: `sensors`, or `grep . /sys/class/hwmon/hwmon*/temp*_input /sys/class/thermal/*/temp`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_exporters.collectors.cpu_sensors import GPU_DRIVERS, choose_cpu, name_sensor
from fleet_exporters.collectors.members import read_each, split_dropped
from fleet_exporters.collectors.plausible import Jumps, find_fault
from fleet_exporters.collectors.sysfs import MILLI, SYS, read_number, read_word
from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import IMPOSSIBLE, Dropped, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

LIST_SECONDS = 60.0  # how often we look for sensors that are new; asking them is cheaper
CPU_KINDS = ("1", "5", "6")  # of temp*_type: a diode in the CPU, AMD's bus, Intel's PECI
CPU_METRIC, OTHER_METRIC = "fleet_cpu_temperature_celsius", "fleet_temperature_celsius"


@dataclass(frozen=True)
class Input:
    """A file with a temperature, in thousandths of a degree, and what the kernel calls it."""

    path: Path
    driver: str
    label: str

    @property
    def name(self) -> str:
        """What the sensor is called in samples and reasons."""
        return name_sensor(self.driver, self.label)


def find_inputs(root: Path = SYS) -> list[Input]:
    """Return the files of hwmon, and of thermal zones that hwmon does not show; none of GPUs."""
    found = [
        each
        for folder in sorted(root.glob("class/hwmon/hwmon*"), key=_number)
        for each in _find_hwmon(folder)
    ]
    known = {each.driver for each in found}
    for zone in sorted(root.glob("class/thermal/thermal_zone*"), key=_number):
        driver = read_word(zone / "type").replace("-", "_")  # as hwmon writes it
        if driver and driver not in known:
            found.append(Input(zone / "temp", driver, ""))
    return found


def _find_hwmon(folder: Path) -> list[Input]:
    driver = (read_word(folder / "name") or folder.name).replace("-", "_")
    if driver in GPU_DRIVERS:
        return []  # reading would wake a card that sleeps
    # Old drivers have put their files into the device's own folder.
    files = sorted(folder.glob("temp*_input"), key=_number)
    files = files or sorted(folder.glob("device/temp*_input"), key=_number)
    return [Input(file, driver, _read_label(file)) for file in files]


def _read_label(file: Path) -> str:
    """Return the label; `CPU` for an input without one that is wired to the CPU."""
    stem = file.name.removesuffix("input")
    label = read_word(file.with_name(f"{stem}label"))
    is_cpu = not label and read_word(file.with_name(f"{stem}type")) in CPU_KINDS
    return "CPU" if is_cpu else label


def _number(path: Path) -> int:
    """Return the number in a name, so that temp10 comes after temp2."""
    return int("".join(filter(str.isdecimal, path.name)) or 0)


def read_input(each: Input) -> Iterator[tuple[Input, float]]:
    """Yield the celsius of an input if it has a value now."""
    celsius = read_number(each.path, MILLI)
    if celsius is not None:
        yield each, celsius


def parse(sensors: Mapping[str, list[tuple[str, float]]]) -> Iterator[Sample | Dropped]:
    """
    Yield fleet_cpu_temperature_celsius of the best driver, fleet_temperature_celsius of the rest.

    `sensors` are pairs of label and celsius by driver. Raises NoDevice when there is none at all,
    as in most virtual machines.
    """
    usable: dict[str, list[tuple[str, float]]] = {}
    is_there = False
    for driver, entries in sensors.items():
        if driver in GPU_DRIVERS:
            continue
        for label, celsius in entries:
            is_there, fault = True, find_fault(label, celsius)
            if fault:
                yield Dropped(name_sensor(driver, label), fault, IMPOSSIBLE)
            else:
                usable.setdefault(driver, []).append((label, celsius))
    if not is_there:
        raise NoDevice("the kernel exposes no temperature sensor; check with `sensors`")
    cpu, others = choose_cpu(usable)
    for metric, chosen in ((CPU_METRIC, cpu), (OTHER_METRIC, others)):
        for sensor, celsius in _name_apart(chosen):
            yield Sample(metric, {"sensor": sensor}, celsius)


def _name_apart(named: Iterable[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Yield names that differ: two drives both say `nvme Composite`, the second gets #2."""
    counts: dict[str, int] = {}
    for name, celsius in named:
        counts[name] = counts.get(name, 0) + 1
        yield (name if counts[name] == 1 else f"{name} #{counts[name]}"), celsius


class Temperatures:
    """Remembers where the sensors are, and what the CPU said last."""

    def __init__(
        self,
        root: Path = SYS,
        clock: Callable[[], float] = time.monotonic,
        find: Callable[[Path], list[Input]] = find_inputs,
        ask: Callable[[Input], Iterator[tuple[Input, float]]] = read_input,
    ) -> None:
        self._root = root
        self._clock = clock
        self._find = find
        self._ask = ask
        self._inputs: list[Input] = []
        self._list_due = float("-inf")
        self._cpu: set[str] = set()
        self._jumps = Jumps()

    def read(self) -> Iterator[Sample | Dropped]:
        """Yield every temperature that the kernel shows, but those of GPUs."""
        if self._clock() >= self._list_due:
            self._list_due = self._clock() + LIST_SECONDS
            self._inputs = self._find(self._root)
        found, dropped = split_dropped(read_each(self._inputs, self._ask, lambda each: each.name))
        yield from dropped
        sensors: dict[str, list[tuple[str, float]]] = {}
        for each, celsius in found:
            sensors.setdefault(each.driver, []).append((each.label, celsius))
        silent = {each.name for each in self._inputs} - {each.name for each, _ in found}
        if found or not dropped:
            yield from map(self._doubt, self._keep_cpu(list(parse(sensors)), silent))

    def _keep_cpu(
        self, items: list[Sample | Dropped], silent: set[str]
    ) -> Iterator[Sample | Dropped]:
        """Yield the items; while a sensor of the CPU is silent no other one stands for it."""
        silent |= {each.what for each in items if isinstance(each, Dropped)}
        told = {
            each.labels["sensor"]
            for each in items
            if isinstance(each, Sample) and each.name == CPU_METRIC
        }
        # Dies go by one name, that of each begins with it.
        if not any(name.startswith(tuple(self._cpu)) for name in silent):
            self._cpu = told
        for each in items:
            if isinstance(each, Sample) and each.labels["sensor"] in told - self._cpu:
                yield Sample(OTHER_METRIC, each.labels, each.value)
            else:
                yield each

    def _doubt(self, item: Sample | Dropped) -> Sample | Dropped:
        """Return the item; a jump of the CPU is dropped until the next reading confirms it."""
        if isinstance(item, Dropped) or item.name != CPU_METRIC:
            return item
        sensor = item.labels["sensor"]
        if self._jumps.is_confirmed(sensor, item.value):
            return item
        return Dropped(sensor, f"jumps to {item.value:.0f} °C, not confirmed yet", IMPOSSIBLE)
