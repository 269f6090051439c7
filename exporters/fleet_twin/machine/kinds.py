"""
The kinds of machines in the fleet, and the names of its nodes.

A node's name, kind and seed follow from its place in the row, so that a larger fleet only adds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_twin.machine.thermal import Chip

if TYPE_CHECKING:
    from fleet_twin.machine.owner import Habit

GIB = 2**30
NODES_MAX = 200  # as many as `fleet up --twin` takes


@dataclass(frozen=True)
class Card:
    """A graphics card."""

    name: str
    chip: Chip
    memory_bytes: int
    clock_hertz: float
    memory_clock_hertz: float
    power_limit_watts: float
    slowdown_celsius: float


@dataclass(frozen=True)
class Kind:
    """One kind of machine. Speeds are tokens per second with nothing else running."""

    name: str
    os: str
    machine: str  # architecture, as platform.machine() says it
    cpu_model: str
    cores: int
    chip: Chip  # of the CPU
    clock_hertz: float
    memory_bytes: int
    disk_bytes: int
    mounts: tuple[str, ...]
    drive: str
    network: str
    link_bytes_per_second: float | None  # None: the driver does not say, as on Wi-Fi
    habit: Habit
    model: str
    model_bytes: int
    tokens_per_second: float
    first_token_seconds: float  # of a prompt that the model server has not read before
    cards: tuple[Card, ...] = ()
    has_energy_counters: bool = True
    has_battery: bool = False
    is_raspberry: bool = False
    is_wireless: bool = False
    #: sensors beside CPU and GPU: driver, label, celsius above ambient at rest
    sensors: tuple[tuple[str, str, float], ...] = field(default=(("nvme", "Composite", 14.0),))

    @property
    def is_windows(self) -> bool:
        """True where sensors come through LibreHardwareMonitor and there is no load average."""
        return self.os.startswith("Windows")


RTX_4070 = Card(
    "NVIDIA GeForce RTX 4070", Chip(12, 200, 0.36, 38, 83), 12 * GIB, 2.475e9, 10.5e9, 200, 90
)
RTX_3090 = Card(
    "NVIDIA GeForce RTX 3090", Chip(22, 350, 0.22, 45, 83), 24 * GIB, 1.695e9, 9.75e9, 350, 93
)

GAMER = Kind(
    "gamer", "Windows 11", "AMD64", "AMD Ryzen 7 7800X3D 8-Core Processor", 16,
    Chip(24, 95, 0.65, 18, 89), 4.2e9, 32 * GIB, 1000 * 10**9, ("C:\\",), "PhysicalDrive0",
    "Ethernet", 125e6, "gamer", "qwen2.5-14b-instruct-q4_k_m", 9 * GIB, 34, 0.35,
    cards=(RTX_4070,), has_energy_counters=False,
    sensors=(("nvme", "Composite", 14.0), ("nct6798", "SYSTIN", 8.0)),
)  # fmt: skip
DESKTOP = Kind(
    "desktop", "Debian GNU/Linux 13 (trixie)", "x86_64", "AMD Ryzen 9 5950X 16-Core Processor", 32,
    Chip(30, 142, 0.38, 20, 90), 3.9e9, 64 * GIB, 2000 * 10**9, ("/", "/home"), "nvme0n1",
    "enp5s0", 312.5e6, "gamer", "qwen2.5-32b-instruct-q4_k_m", 20 * GIB, 27, 0.5,
    cards=(RTX_3090, RTX_3090),
    sensors=(("nvme", "Composite", 16.0), ("nct6798", "SYSTIN", 9.0)),
)  # fmt: skip
EPYC = Kind(
    "epyc", "Ubuntu 24.04.2 LTS", "x86_64", "AMD EPYC 7713P 64-Core Processor", 128,
    Chip(70, 225, 0.19, 35, 92), 2.9e9, 256 * GIB, 4000 * 10**9, ("/", "/srv"), "nvme0n1",
    "eno1", 1250e6, "nobody", "qwen2.5-14b-instruct-q4_k_m", 9 * GIB, 11, 0.9,
    sensors=(("nvme", "Composite", 12.0), ("nvme", "Sensor 2", 18.0)),
)  # fmt: skip
RASPBERRY = Kind(
    "raspberry", "Raspberry Pi OS (bookworm)", "aarch64", "Raspberry Pi 5 Model B Rev 1.0", 4,
    Chip(2.6, 8.5, 4.6, 55, 80, has_fan=False), 2.4e9, 8 * GIB, 64 * 10**9, ("/",), "mmcblk0",
    "eth0", 125e6, "nobody", "qwen2.5-1.5b-instruct-q4_k_m", GIB, 5, 1.6,
    has_energy_counters=False, is_raspberry=True,
    sensors=(("rp1_adc", "", 17.0),),
)  # fmt: skip
LAPTOP = Kind(
    "laptop", "Fedora Linux 42 (Workstation Edition)", "x86_64", "Intel(R) Core(TM) Ultra 7 155H",
    22, Chip(6, 45, 1.15, 14, 95), 3.6e9, 32 * GIB, 1000 * 10**9, ("/", "/home"), "nvme0n1",
    "wlp1s0", None, "office", "qwen2.5-3b-instruct-q4_k_m", 2 * GIB, 12, 1.0,
    has_battery=True, is_wireless=True,
    sensors=(("nvme", "Composite", 13.0), ("iwlwifi_1", "", 19.0)),
)  # fmt: skip

# The row in which nodes are handed out; it begins with one of each.
ROW = (GAMER, DESKTOP, EPYC, RASPBERRY, LAPTOP, GAMER, LAPTOP, RASPBERRY, GAMER, DESKTOP)


@dataclass(frozen=True)
class Place:
    """One node of the fleet: its name, its kind, and its number from 0."""

    node: str
    kind: Kind
    number: int


def list_places(count: int) -> list[Place]:
    """Return the nodes of a fleet of so many, such as gamer-1, desktop-1, epyc-1."""
    seen: dict[str, int] = {}
    places = []
    for number in range(count):
        kind = ROW[number % len(ROW)]
        seen[kind.name] = seen.get(kind.name, 0) + 1
        places.append(Place(f"{kind.name}-{seen[kind.name]}", kind, number))
    return places
