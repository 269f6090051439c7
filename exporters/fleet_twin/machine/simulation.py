"""
The state of one simulated machine, moved on by the twin each second.

Sensors read it; the model server asks it how fast it may write. Seeded: the same steps give the
same machine.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_twin import faults
from fleet_twin.machine import weather
from fleet_twin.machine.demand import DEMANDS, DESKTOP_VRAM_BYTES, decide_idle_memory
from fleet_twin.machine.kinds import GIB, Kind, Place
from fleet_twin.machine.owner import Doing, Owner, decide_doing, decide_phase
from fleet_twin.machine.thermal import Heat, step
from fleet_twin.machine.traffic import BRIM, FAST, SLOW, Disk, Traffic

if TYPE_CHECKING:
    from datetime import datetime

BAD_COOLING_KELVIN = 62.0  # by which a badly cooled chip is hotter
KEEP_MODEL_SECONDS = 300.0  # a model server unloads what nobody asks for
LOAD_BYTES_PER_SECOND = 1.5 * GIB  # of a model from disk into memory
CPU_SPEED_RATIO = 0.12  # of a graphics card's tokens, when the CPU must do it
SLOW_RATIO = 0.2
SKEW_SECONDS = 90.0
LOAD_SECONDS = 4.0  # over which what the model server does becomes a load
DRIFT_SECONDS = 20.0  # over which background load wanders
FILLINGS = {
    faults.MODEL_DISK_FULL: BRIM,
    faults.DISK_FILLING: FAST,
    faults.DISK_LEAKING: SLOW,
}
AIR_KELVIN = 3.0  # by which the air in a case wanders with it


@dataclass
class CpuTimes:
    """Seconds by mode since boot, all cores together."""

    user: float = 0.0
    system: float = 0.0
    idle: float = 0.0
    iowait: float = 0.0


@dataclass
class Machine:
    """One machine. `advance` moves it on; everything else only reads."""

    place: Place
    owner: Owner
    faults: frozenset[str] = frozenset()
    doing: Doing = "away"
    doing_since: float = 0.0
    room_celsius: float = 22.0
    cpu_load: float = 0.03
    model_load: float = 0.0
    memory_used: float = 0.0
    vram_used: list[float] = field(default_factory=list)
    cpu: Heat = field(default_factory=lambda: Heat(35.0))
    cards: list[Heat] = field(default_factory=list)
    card_loads: list[float] = field(default_factory=list)
    card_joules: list[float] = field(default_factory=list)
    cpu_joules: float = 0.0
    times: CpuTimes = field(default_factory=CpuTimes)
    load_averages: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    traffic: Traffic = field(default_factory=Traffic)
    disk: Disk = field(default_factory=Disk)
    is_online: bool = True
    is_unplugged: bool = False
    has_weak_supply: bool = False
    model_used_at: float = float("-inf")
    has_model: bool = True  # its server has not unloaded it
    now: float | None = None
    drift: float = 0.0  # what wanders about 0: background work, the air in the case
    _dice: random.Random = field(default_factory=random.Random)

    @property
    def kind(self) -> Kind:
        """What kind of machine this is."""
        return self.place.kind

    def has(self, fault: str) -> bool:
        """Tell whether a fault is set."""
        return fault in self.faults

    @property
    def is_model_loaded(self) -> bool:
        """True while the model is in memory: it is unloaded for a game, and long after its use."""
        now = self.now or 0.0
        return self.has_model and now - self.model_used_at < KEEP_MODEL_SECONDS

    @property
    def computes_on_card(self) -> bool:
        """True while the model is computed on the graphics card."""
        is_lost = self.has(faults.CPU_FALLBACK) or self.has(faults.GPU_LOST)
        return bool(self.kind.cards) and not is_lost

    @property
    def clock_offset_seconds(self) -> float:
        """How far the machine's clock is ahead."""
        return SKEW_SECONDS if self.has(faults.CLOCK_SKEW) else 0.0

    @property
    def tokens_per_second(self) -> float:
        """How fast the model server may write now, behind a short context."""
        kind, chip = self.kind, self.cards[0] if self.computes_on_card else self.cpu
        speed = kind.tokens_per_second * chip.clock_ratio
        if kind.cards and not self.computes_on_card:
            speed *= CPU_SPEED_RATIO
        if self.has(faults.SLOW_MODEL):
            speed *= SLOW_RATIO
        return speed * {"away": 1.0, "work": 0.85, "game": 0.3}[self.doing]

    def advance(self, now: float, local: datetime, busy: float = 0.0, tokens: int = 0) -> None:
        """
        Move on to `now` (monotonic seconds); `local` is the time on the wall.

        Since the last step the model server was busy with a share of its slots, and has written
        so many tokens.
        """
        seconds = 0.0 if self.now is None else max(0.0, now - self.now)
        self.now = now
        wall = local.timestamp()
        self._look_around(now, local, wall)
        if busy:
            self.model_used_at = now
        self._load(busy, seconds)
        self._heat(seconds)
        self._fill_memory(seconds)
        self.traffic.advance(self.kind, self.doing, tokens, seconds, self._dice)
        filling = next((how for fault, how in FILLINGS.items() if self.has(fault)), None)
        self.disk.advance(self.kind, tokens, seconds, self._dice, filling)

    def _look_around(self, now: float, local: datetime, wall: float) -> None:
        kind, seed = self.kind, self.owner.seed
        doing = decide_doing(self.owner, local.replace(tzinfo=None))
        is_quiet = self.has(faults.OWNER_AWAY)
        doing = "away" if is_quiet else doing
        doing = "game" if self.has(faults.GAME_STARTS) else doing
        if doing != self.doing:
            self.doing, self.doing_since = doing, now
        self.room_celsius = weather.decide_room(seed, wall)
        self.is_online = is_quiet or not kind.is_wireless or weather.decide_online(seed, wall)
        is_unplugged = kind.has_battery and weather.decide_unplugged(seed, wall)
        self.is_unplugged = is_unplugged and not is_quiet
        is_weak = weather.decide_weak_supply(seed, wall) and self.cpu_load > 0.5
        is_weak = is_weak and kind.is_raspberry and not is_quiet
        self.has_weak_supply = self.has(faults.UNDER_VOLTAGE) or is_weak

    def _load(self, busy: float, seconds: float) -> None:
        """Decide how busy CPU and cards are."""
        if seconds <= 0:
            return
        self.model_load += (busy - self.model_load) * (1.0 - math.exp(-seconds / LOAD_SECONDS))
        wander = min(1.0, seconds / DRIFT_SECONDS)
        self.drift += -self.drift * wander + self._dice.gauss(0.0, 0.35) * math.sqrt(wander)
        demand = DEMANDS[self.doing]
        load = demand.cpu_load * math.exp(self.drift)
        on_card = self.computes_on_card
        of_model = self.model_load * (0.07 if on_card else 0.88)
        self.cpu_load = max(0.005, 1.0 - (1.0 - min(0.95, load)) * (1.0 - of_model))
        for index in range(len(self.kind.cards)):
            drawn = self.model_load * 0.93 / (1 if len(self.kind.cards) == 1 else 1.6)
            drawn = drawn if on_card else 0.0
            drawn += demand.card_load * (index == 0)
            self.card_loads[index] = min(0.99, drawn * self._dice.uniform(0.95, 1.0))
        for index, window in enumerate((60.0, 300.0, 900.0)):
            target = self.cpu_load * self.kind.cores
            gain = 1.0 - math.exp(-seconds / window)
            self.load_averages[index] += (target - self.load_averages[index]) * gain
        spent = seconds * self.kind.cores
        self.times.user += spent * self.cpu_load * 0.85
        self.times.system += spent * self.cpu_load * 0.15
        self.times.iowait += spent * (1 - self.cpu_load) * 0.004
        self.times.idle += spent * (1 - self.cpu_load) * 0.996

    def _heat(self, seconds: float) -> None:
        kind, air = self.kind, self.room_celsius + AIR_KELVIN * self.drift
        extra = BAD_COOLING_KELVIN if self.has(faults.CPU_HOT) else 0.0
        self.cpu = step(kind.chip, self.cpu, self.cpu_load, air + extra, seconds)
        self.cpu_joules += self.cpu.watts * seconds
        for index, card in enumerate(kind.cards):
            is_bad = self.has(faults.GPU_HOT) and index == 0
            # Cards warm each other in one case; the second one breathes what the first gives.
            ambient = air + 4.0 * index + (BAD_COOLING_KELVIN if is_bad else 0.0)
            heat = step(card.chip, self.cards[index], self.card_loads[index], ambient, seconds)
            self.cards[index] = heat
            self.card_joules[index] += heat.watts * seconds

    def _fill_memory(self, seconds: float) -> None:
        kind, model = self.kind, float(self.kind.model_bytes if self.is_model_loaded else 0)
        base, demand = decide_idle_memory(kind), DEMANDS[self.doing]
        target = base + demand.memory_bytes + (0.1 * model if self.computes_on_card else model)
        target *= 1.0 + 0.02 * self.drift
        self.memory_used = _approach(self.memory_used or base, target, seconds)
        on_card = model / max(1, len(kind.cards)) if self.computes_on_card else 0.0
        for index in range(len(kind.cards)):
            shown = DESKTOP_VRAM_BYTES + demand.vram_bytes if index == 0 else 0
            self.vram_used[index] = _approach(self.vram_used[index], shown + on_card, seconds)


def _approach(present: float, target: float, seconds: float) -> float:
    """Return memory on its way to a target, as fast as a model is loaded."""
    most = LOAD_BYTES_PER_SECOND * seconds
    return present + min(most, max(-most, target - present))


def make_machine(place: Place, seed: str) -> Machine:
    """Return the machine of a place, as it is just after it was switched on."""
    own = f"{seed} {place.node}"
    dice = random.Random(own)  # noqa: S311 - a machine, no secret
    owner = Owner(place.kind.habit, own, decide_phase(place.number))
    cards = len(place.kind.cards)
    return Machine(
        place,
        owner,
        vram_used=[0.0] * cards,
        cards=[Heat(dice.uniform(30, 36)) for _ in range(cards)],
        card_loads=[0.0] * cards,
        card_joules=[dice.uniform(1e6, 1e9) for _ in range(cards)],
        cpu=Heat(dice.uniform(33, 42)),
        traffic=Traffic.begin(dice),
        disk=Disk.begin(place.kind, dice),
        _dice=dice,
    )
