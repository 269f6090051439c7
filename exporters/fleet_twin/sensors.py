"""
The real sensor families of the exporter, over a simulated machine instead of a kernel.

Only what touches the world is replaced: the files, calls and pages that the families read.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_exporters.collectors import memory
from fleet_exporters.collectors.cpu import Cpu
from fleet_exporters.collectors.disk import Disk, Mount
from fleet_exporters.collectors.disk_io import DiskIo, Drive
from fleet_exporters.collectors.energy import Energy, Zone
from fleet_exporters.collectors.gpu.nvidia import Gpu
from fleet_exporters.collectors.network import BYTES_PER_MEGABIT, Network, Traffic
from fleet_exporters.collectors.node_info import NodeInfo
from fleet_exporters.collectors.pi import REASONS, Pi
from fleet_exporters.collectors.temperatures import Input, Temperatures
from fleet_exporters.collectors.windows import URL, Windows

from fleet_twin import faults
from fleet_twin.nvml import SimulatedNvml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fleet_exporters.collectors.clock import Clock
    from fleet_exporters.sample import Read

    from fleet_twin.machine.simulation import Machine

# The CPU's own sensor, by the driver that such a machine has.
CPU_SENSORS = {
    "desktop": ("k10temp", "Tctl"),
    "epyc": ("k10temp", "Tctl"),
    "raspberry": ("cpu_thermal", ""),
    "laptop": ("coretemp", "Package id 0"),
}
ENERGY_RANGE_JOULES = 262143.0  # of the kernel's counter, then it begins again


def make_families(
    machine: Machine, clock: Clock, monotonic: Callable[[], float]
) -> dict[str, Read]:
    """Return the families that such a machine has, by the exporter's own names."""
    kind = machine.kind
    families: dict[str, Read] = {
        "cpu": make_cpu(machine).read,
        "memory": lambda: memory.parse(read_memory(machine)),
        "disk": make_disk(machine, monotonic).read,
        "disk_io": make_disk_io(machine).read,
        "network": make_network(machine, monotonic).read,
        "clock": clock.read,
        "node_info": NodeInfo(
            lambda: json.dumps({"brand_raw": kind.cpu_model}), lambda: kind.os, lambda: kind.machine
        ).read,
    }
    if kind.is_windows:
        families["windows"] = Windows(URL, lambda _: render_monitor(machine)).read
    else:
        inputs = list_inputs(machine)
        ask = make_thermometer(machine)
        families["temperatures"] = Temperatures(
            clock=monotonic, find=lambda _: inputs, ask=ask
        ).read
    if kind.cards:
        families["gpu"] = Gpu(lambda: SimulatedNvml(machine), monotonic).read
    if kind.is_raspberry:
        families["pi"] = Pi((lambda: read_firmware(machine),), monotonic).read
    if kind.has_energy_counters:
        families["energy"] = Energy(lambda: [read_zone(machine)], monotonic).read
    return families


def make_cpu(machine: Machine) -> Cpu:
    """Return the CPU's family; Windows has no load average."""

    def read_times() -> Mapping[str, float]:
        return dict(vars(machine.times))

    def read_frequency(_: Path) -> Iterator[float]:
        yield machine.kind.clock_hertz * machine.cpu.clock_ratio * (0.6 + 0.4 * machine.cpu_load)

    load = tuple if machine.kind.is_windows else lambda: machine.load_averages
    return Cpu(read_times, load, [Path("policy0")], read_frequency)


def read_memory(machine: Machine) -> memory.Memory:
    """Return memory in use; no kind of ours has swap."""
    total = machine.kind.memory_bytes
    return memory.Memory(total, max(0, total - int(machine.memory_used)), 0, 0)


def make_disk(machine: Machine, monotonic: Callable[[], float]) -> Disk:
    """Return the file systems: the first one, with the model, fills; a second is half full."""
    kind = machine.kind

    def read_mount(path: str) -> Mount:
        number = kind.mounts.index(path)
        free = machine.disk.free(kind) if number == 0 else kind.disk_bytes // 2
        return Mount(path, number, free, kind.disk_bytes)

    return Disk((), lambda: list(kind.mounts), read_mount, monotonic, kind.mounts[0])


def make_disk_io(machine: Machine) -> DiskIo:
    """Return the drive; it may be one whose counters cannot be read."""
    drive = machine.kind.drive

    def read_drives() -> Mapping[str, Drive]:
        if machine.has(faults.SENSORS_BLIND):
            raise OSError(errno.EIO, "Input/output error")
        return {drive: read_drive(machine)}

    return DiskIo(read_drives, lambda: {drive})


def read_drive(machine: Machine) -> Drive:
    """Return the drive's counters."""
    disk = machine.disk
    return Drive(
        read_count=int(disk.read_bytes / 32768),
        read_bytes=int(disk.read_bytes),
        write_count=int(disk.written_bytes / 16384),
        write_bytes=int(disk.written_bytes),
        busy_time=int(disk.busy_seconds * 1000),
    )


def make_network(machine: Machine, monotonic: Callable[[], float]) -> Network:
    """Return the one network device."""
    kind, counts = machine.kind, machine.traffic

    def read_traffic() -> Mapping[str, Traffic | str]:
        return {
            kind.network: Traffic(
                int(counts.received), int(counts.sent), receive_drops=counts.receive_drops
            )
        }

    speed = kind.link_bytes_per_second
    return Network(read_traffic, lambda _: speed and speed / BYTES_PER_MEGABIT, monotonic)


def list_inputs(machine: Machine) -> list[Input]:
    """Return the temperature sensors as the kernel of such a machine lists them."""
    driver, label = CPU_SENSORS[machine.kind.name]
    others = [Input(Path(f"temp{n}"), *sensor[:2]) for n, sensor in _number_sensors(machine)]
    return [Input(Path("temp0"), driver, label), *others]


def _number_sensors(machine: Machine) -> list[tuple[int, tuple[str, str, float]]]:
    return list(enumerate(machine.kind.sensors, start=1))


def make_thermometer(machine: Machine) -> Callable[[Input], Iterator[tuple[Input, float]]]:
    """Return what reads an input; the CPU warms what stands beside it a little."""
    above = {f"temp{number}": sensor[2] for number, sensor in _number_sensors(machine)}

    def read(each: Input) -> Iterator[tuple[Input, float]]:
        if each.path.name == "temp0":
            yield each, round(machine.cpu.celsius, 1)
        else:
            yield each, _beside(machine, above[each.path.name])

    return read


def _beside(machine: Machine, above: float) -> float:
    """Return the temperature of something beside the CPU, rounded as such sensors do."""
    room = machine.room_celsius
    return round(2 * (room + above + 0.08 * (machine.cpu.celsius - room))) / 2


def read_firmware(machine: Machine) -> tuple[dict[str, bool], dict[str, bool]]:
    """Return the throttled word of a Raspberry Pi: a weak supply caps the clock, heat throttles."""
    is_hot = machine.cpu.is_throttled
    held = {
        "under_voltage": machine.has_weak_supply,
        "frequency_capped": machine.has_weak_supply or is_hot,
        "throttled": is_hot,
        "soft_temperature_limit": is_hot,
    }
    return {reason: held[reason] for reason in REASONS}, {}


def read_zone(machine: Machine) -> Zone:
    """Return the counter of the CPU package."""
    return Zone("package-0", machine.cpu_joules % ENERGY_RANGE_JOULES, ENERGY_RANGE_JOULES)


def render_monitor(machine: Machine) -> str:
    """Return LibreHardwareMonitor's page."""
    kind = machine.kind
    cpu = [
        _value("Package", "/amdcpu/0/power/0", f"{machine.cpu.watts:.1f} W"),
        _value("Core (Tctl/Tdie)", "/amdcpu/0/temperature/2", f"{machine.cpu.celsius:.1f} °C"),
    ]
    board = [
        _value(label, f"/{driver}/0/temperature/0", f"{_beside(machine, above):.1f} °C")
        for driver, label, above in kind.sensors
    ]
    hardware = {"Text": kind.cpu_model, "HardwareId": "/amdcpu/0", "Children": cpu}
    return json.dumps({"Text": "Sensor", "Children": [hardware, {"Text": "", "Children": board}]})


def _value(text: str, sensor: str, value: str) -> dict[str, object]:
    return {"Text": text, "SensorId": sensor, "Value": value, "Children": []}
