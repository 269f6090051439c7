"""Counters of network and drive, and file systems that slowly fill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from fleet_twin.machine.kinds import Kind
    from fleet_twin.machine.owner import Doing

TOKEN_SENT_BYTES, TOKEN_RECEIVED_BYTES = 620, 90  # a chunk of a stream, and its share of prompts
TOKEN_STORED_BYTES = 900  # of logs, caches and the database's own files
TIDY_RATIO = 0.88  # of a disk: then somebody tidies up

# bytes per second received and sent
RATES = {"away": (4e3, 2e3), "work": (180e3, 25e3), "game": (70e3, 45e3)}


@dataclass(frozen=True)
class Filling:
    """What writes junk: how full it makes a disk, and in how many seconds."""

    ratio: float
    seconds: float
    bytes_left: int = 0  # of the share that `ratio` leaves


FAST = Filling(0.97, 45.0)
SLOW = Filling(0.87, 240.0)  # by a trend, without ever being full
BRIM = Filling(1.0, 20.0, 10**9)


@dataclass
class Traffic:
    """Counts of the network device since boot."""

    received: float = 0.0
    sent: float = 0.0
    receive_drops: int = 0

    @classmethod
    def begin(cls, dice: random.Random) -> Traffic:
        """Return the counters of a machine that has run for some hours."""
        return cls(dice.uniform(1e8, 5e10), dice.uniform(5e7, 1e10))

    def advance(
        self, kind: Kind, doing: Doing, tokens: int, seconds: float, dice: random.Random
    ) -> None:
        """Count what went over the wire."""
        received, sent = RATES[doing]
        self.received += seconds * received * dice.uniform(0.4, 1.8) + tokens * TOKEN_RECEIVED_BYTES
        self.sent += seconds * sent * dice.uniform(0.4, 1.8) + tokens * TOKEN_SENT_BYTES
        self.receive_drops += kind.is_wireless and dice.random() < 0.02 * seconds


@dataclass
class Disk:
    """The machine's drive: bytes used of the first file system, counters of the drive."""

    used: float = 0.0
    after_tidying: float = 0.0
    junk: float = 0.0  # what a fault has written
    bytes_per_second: float = 0.0
    read_bytes: float = 0.0
    written_bytes: float = 0.0
    busy_seconds: float = 0.0

    @classmethod
    def begin(cls, kind: Kind, dice: random.Random) -> Disk:
        """Return a drive in use for some time."""
        used = kind.disk_bytes * dice.uniform(0.35, 0.7)
        written, read = dice.uniform(1e11, 5e12), dice.uniform(1e11, 5e12)
        rate = kind.disk_bytes / (86400 * dice.uniform(20, 200))
        return cls(used, used * 0.9, 0.0, rate, read, written)

    def advance(
        self,
        kind: Kind,
        tokens: int,
        seconds: float,
        dice: random.Random,
        filling: Filling | None = None,
    ) -> None:
        """Write what the machine writes; tidy up when it is nearly full."""
        grown = seconds * self.bytes_per_second * dice.uniform(0.2, 1.8)
        grown += tokens * TOKEN_STORED_BYTES
        self.used += grown
        if self.used > TIDY_RATIO * kind.disk_bytes:
            self.used = self.after_tidying
        junk = self._fill(kind, seconds, filling) if filling else 0.0
        written = grown * 1.3 + max(0.0, junk - self.junk) + seconds * 2e4 * dice.random()
        self.junk = junk
        self.written_bytes += written
        self.read_bytes += written * 0.4 + seconds * 5e4 * dice.random()
        self.busy_seconds += min(seconds, written / 4e8 + seconds * 0.003)

    def _fill(self, kind: Kind, seconds: float, filling: Filling) -> float:
        """Return the junk after so many seconds; slower and slower where it takes its time."""
        room = max(0.0, filling.ratio * kind.disk_bytes - filling.bytes_left - self.used)
        if filling is SLOW:
            return min(room, self.junk + (room - self.junk) * seconds / filling.seconds)
        return min(room, self.junk + room * seconds / filling.seconds)

    def free(self, kind: Kind) -> int:
        """Return the free bytes of the first file system."""
        return int(kind.disk_bytes - self.used - self.junk)
