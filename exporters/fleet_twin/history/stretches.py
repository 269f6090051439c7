"""
How each machine was over the past, in stretches of some minutes. Pure and seeded.

Within a stretch nothing changes but what follows from the time since it began: heat settles,
counters rise. The database makes readings of it (readings.py).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from fleet_twin.machine.demand import DEMANDS, DESKTOP_VRAM_BYTES, decide_idle_memory
from fleet_twin.machine.owner import Doing, Owner, decide_phase, plan_day
from fleet_twin.machine.thermal import Chip, decide_clock, decide_watts, find_rest
from fleet_twin.machine.weather import decide_room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_twin.machine.kinds import Place

STRETCH = timedelta(minutes=30)
NIGHT_HOURS = (22, 8)  # of the owner: then an idle machine mostly writes, else sometimes
WRITES_SHARE_BY_NIGHT, WRITES_SHARE_BY_DAY = 0.9, 0.35
SLEEP_HOURS = (0, 7)  # of a laptop
THROTTLE_FACTORS: dict[Doing, float] = {"away": 1.0, "work": 0.5, "game": 0.0}
TRAFFIC: dict[Doing, float] = {"away": 2e3, "work": 9e4, "game": 1.6e5}  # bytes a second, sent
WRITES: dict[Doing, float] = {"away": 3e4, "work": 2e5, "game": 4e5}  # bytes a second, to disk
MODES: dict[Doing, str] = {"away": "idle", "work": "work", "game": "gaming"}


@dataclass(frozen=True)
class Chips:
    """A chip over a stretch: from one temperature to the one it settles at."""

    load: float
    celsius_from: float
    celsius_to: float
    seconds: float  # time constant
    watts: float

    def celsius_after(self, seconds: float) -> float:
        """Return the temperature at a time within the stretch."""
        rest = math.exp(-seconds / self.seconds)
        return self.celsius_to + (self.celsius_from - self.celsius_to) * rest


@dataclass(frozen=True)
class Counter:
    """A counter at the beginning of a stretch, and what it rises by each second of it."""

    count: float = 0.0
    rate: float = 0.0

    def after(self, seconds: float, rate: float) -> Counter:
        """Return the counter of the next stretch."""
        return Counter(self.count + self.rate * seconds, rate)


@dataclass(frozen=True)
class Stretch:
    """A machine between two times; bytes, watts, degrees."""

    place: Place
    begin: datetime
    end: datetime
    doing: Doing
    is_writing: bool
    throttle_factor: float
    cpu: Chips
    clock_hertz: float
    memory_bytes: float
    card: Chips | None
    vram_bytes: float
    energy: Counter
    received: Counter
    sent: Counter
    read: Counter
    written: Counter
    free_bytes: Counter

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return (self.end - self.begin).total_seconds()


@dataclass(frozen=True)
class _Now:
    """What a stretch is made of."""

    place: Place
    begin: datetime
    end: datetime
    doing: Doing
    is_writing: bool
    room_celsius: float


@dataclass
class _Past:
    """What one stretch hands to the next."""

    cpu_celsius: float = 35.0
    card_celsius: float = 33.0
    counters: dict[str, Counter] = field(default_factory=dict)
    seconds: float = 0.0

    def count(self, name: str, rate: float, first: float = 0.0) -> Counter:
        """Return a counter of the stretch that begins now."""
        before = self.counters.get(name)
        found = before.after(self.seconds, rate) if before else Counter(first, rate)
        self.counters[name] = found
        return found


def list_stretches(place: Place, begin: datetime, end: datetime, seed: int) -> Iterator[Stretch]:
    """Yield the stretches of a machine in order, without the hours that it slept."""
    own = f"{seed} {place.node}"
    draw = random.Random(own)  # noqa: S311 - a past, no secret
    phase = decide_phase(place.number)
    past = _Past()
    for start, stop, doing in _list_doings(place, begin, end, own, phase):
        hour = (start + phase).hour
        if place.kind.has_battery and SLEEP_HOURS[0] <= hour < SLEEP_HOURS[1]:
            past.counters.clear()  # it is switched on again in the morning
            past.cpu_celsius = 22.0
            continue
        is_night = hour >= NIGHT_HOURS[0] or hour < NIGHT_HOURS[1]
        share = WRITES_SHARE_BY_NIGHT if is_night else WRITES_SHARE_BY_DAY
        is_writing = doing == "away" and draw.random() < share
        room = decide_room(own, start.timestamp())
        yield _make(_Now(place, start, stop, doing, is_writing, room), past, draw)


def _list_doings(
    place: Place, begin: datetime, end: datetime, own: str, phase: timedelta
) -> Iterator[tuple[datetime, datetime, Doing]]:
    """Yield what the owner does, cut into stretches of half an hour at most."""
    owner = Owner(place.kind.habit, own, phase)
    sessions = sorted(
        (_round(session.begin - phase), _round(session.end - phase), session.doing)
        for day in _list_days(begin + phase, end + phase)
        for session in plan_day(owner, day)
    )
    at = begin
    away: Doing = "away"
    for start, stop, doing in [*sessions, (end, end, away)]:
        for until, now in ((min(start, end), away), (min(stop, end), doing)):
            while at < until:
                following = min(at + STRETCH, until)
                yield at, following, now
                at = following


def _list_days(begin: datetime, end: datetime) -> Iterator[date]:
    day = begin.date() - timedelta(days=1)
    while day <= end.date():
        yield day
        day += timedelta(days=1)


def _round(at: datetime) -> datetime:
    return datetime.combine(at.date(), time(at.hour, at.minute), tzinfo=UTC)


def _make(now: _Now, past: _Past, draw: random.Random) -> Stretch:
    kind, doing, seconds = now.place.kind, now.doing, (now.end - now.begin).total_seconds()
    on_card = now.is_writing and bool(kind.cards)
    demand = DEMANDS[doing]
    load = demand.cpu_load * draw.uniform(0.7, 1.4)
    load += draw.uniform(0.82, 0.92) if now.is_writing and not on_card else 0.07 * on_card
    cpu = _heat(kind.chip, min(0.97, load), past.cpu_celsius, now.room_celsius)
    past.cpu_celsius = cpu.celsius_after(seconds)
    card = None
    if kind.cards:
        busy = (demand.card_load + 0.8 * on_card) * draw.uniform(0.93, 1.05)
        card = _heat(kind.cards[0].chip, busy, past.card_celsius, now.room_celsius)
        past.card_celsius = card.celsius_after(seconds)
    model = kind.model_bytes * now.is_writing
    memory = decide_idle_memory(kind) + demand.memory_bytes
    traffic = TRAFFIC[doing] * draw.lognormvariate(0, 0.6)
    writes = WRITES[doing] * draw.lognormvariate(0, 0.5)
    made = Stretch(
        place=now.place,
        begin=now.begin,
        end=now.end,
        doing=doing,
        is_writing=now.is_writing,
        throttle_factor=THROTTLE_FACTORS[doing],
        cpu=cpu,
        clock_hertz=kind.clock_hertz * decide_clock(kind.chip, cpu.celsius_to),
        memory_bytes=memory + model * (0.1 if on_card else 1.0),
        card=card,
        vram_bytes=DESKTOP_VRAM_BYTES + demand.vram_bytes + model * on_card,
        energy=past.count("energy", card.watts if card else 0.0, draw.uniform(1e6, 1e9)),
        received=past.count("received", traffic * 4, draw.uniform(1e6, 1e9)),
        sent=past.count("sent", traffic + 400 * now.is_writing, draw.uniform(1e6, 1e8)),
        read=past.count("read", writes * draw.uniform(0.2, 1.5), draw.uniform(1e8, 1e10)),
        written=past.count("written", writes, draw.uniform(1e8, 1e10)),
        free_bytes=past.count("free", draw.uniform(-2e3, 1.7e3), kind.disk_bytes * 0.45),
    )
    past.seconds = seconds
    return made


def _heat(chip: Chip, load: float, celsius: float, room: float) -> Chips:
    """Return a chip under a load that stays, from the temperature that it had."""
    reached = find_rest(chip, load, room)
    return Chips(load, celsius, reached, chip.seconds, decide_watts(chip, load, reached))
