"""
What two agents say to each other. Pure; `listener` and `caller` do it.

    listener: fleet-peer 1 NONCE            caller: call NODE PROOF
    listener: welcome                       caller: echo          (some times)
    listener: echo                          caller: send BYTES    (four times at most)
    listener: go, or no REASON              caller: the bytes
    listener: got SECONDS BYTES

The proof is an HMAC over the nonce, so that what somebody has overheard is worth nothing. SECONDS
are those in which the last BYTES arrived: the first quarter is not counted, since a full buffer on
the way lets it through quicker than the line is.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VERSION = 1
FIRST_BYTES = 64 * 1024  # the first block, which opens the window and finds slow lines
BLOCKS = 3
SENDS_MAX = 1 + BLOCKS
ECHOES = 5
UNCOUNTED = 0.25  # share of a block
# A line on which a block takes longer is not filled with three of them.
BLOCK_SECONDS_MAX = 1.5
CONNECT_SECONDS = 2.0
PROOF_SECONDS = 2.0  # for a stranger
CALL_SECONDS = 10.0
STREAM_LIMIT = 64 * 1024  # bytes of a line, and half of those that wait to be read

NODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class PeerError(Exception):
    """The other end says what the protocol does not know."""


class RefusedError(Exception):
    """The listener does not take our proof, or has no room."""


@dataclass(frozen=True)
class Block:
    """What the listener says of a block: in how many seconds how many bytes came."""

    seconds: float
    size_bytes: int

    @property
    def bytes_per_second(self) -> float | None:
        """The rate; None where all came at once."""
        is_timed = self.seconds > 0 and self.size_bytes > 0
        return self.size_bytes / self.seconds if is_timed else None

    def within(self, size: int, seconds: float) -> Block:
        """
        Return what can be believed of it, the whole block having taken so long on its way.

        A listener that waited for a processor finds most of a block at once: the whole way is
        longer, though, and of the two the slower one is nearer to the truth.
        """
        rate = self.bytes_per_second
        is_slower = seconds > 0 and (rate is None or size / seconds < rate)
        return Block(seconds, size) if is_slower else self


def derive_key(listener_key: bytes, caller: str) -> bytes:
    """Return the key of a caller, as fleet.peer_round does."""
    return hashlib.sha256(listener_key + hashlib.sha256(caller.encode()).digest()).digest()


def prove(caller_key: bytes, nonce: str) -> str:
    """Return the proof that belongs to a nonce, hexadecimal."""
    return hmac.new(caller_key, nonce.encode(), hashlib.sha256).hexdigest()


def is_proved(listener_keys: Iterable[bytes], caller: str, nonce: str, proof: str) -> bool:
    """True if the proof was made with a key of that caller in one of the listener's windows."""
    return any(
        hmac.compare_digest(prove(derive_key(key, caller), nonce).encode(), proof.encode())
        for key in listener_keys
    )


def parse_words(line: bytes, *kinds: str) -> list[str]:
    """Return the words of a line that begins with one of these. Raises PeerError for any other."""
    words = line.decode("ascii", "replace").split()
    if not line.endswith(b"\n") or not words or words[0] not in kinds:
        raise PeerError(f"{line[:60]!r} in place of {' or '.join(kinds)}")
    return words


def parse_greeting(line: bytes) -> str:
    """Return the nonce."""
    words = parse_words(line, "fleet-peer", "full")
    if words[0] == "full":
        raise RefusedError("no room")
    if words[1:2] != [str(VERSION)] or len(words) != 3:
        raise PeerError(f"greeting {line[:60]!r} is not of version {VERSION}")
    return words[2]


def parse_call(line: bytes) -> tuple[str, str]:
    """Return caller and proof."""
    words = parse_words(line, "call")
    if len(words) != 3 or not NODE.fullmatch(words[1]):
        raise PeerError(f"{line[:60]!r} is no call")
    return words[1], words[2]


def parse_send(words: Sequence[str], bytes_max: int) -> int:
    """Return how many bytes are to come. Raises PeerError for more than the largest block."""
    size = int(words[1]) if len(words) == 2 and words[1].isdigit() else 0
    if not 0 < size <= max(bytes_max, FIRST_BYTES):
        raise PeerError(f"a block of {words[1:2]} bytes")
    return size


def parse_got(line: bytes) -> Block:
    """Return what the listener measured."""
    words = parse_words(line, "got")
    try:
        block = Block(float(words[1]), int(words[2]))
    except (IndexError, ValueError) as exc:
        raise PeerError(f"{line[:60]!r} says no seconds and bytes") from exc
    if not (math.isfinite(block.seconds) and block.seconds >= 0 and block.size_bytes >= 0):
        raise PeerError(f"{line[:60]!r} is no measure")
    return block


class Arrival:
    """Times what arrives of one block."""

    def __init__(self, size: int) -> None:
        self.left = size
        self._uncounted = size * (1 - UNCOUNTED)  # bytes left when the clock starts
        self._first: tuple[float, int] | None = None

    def add(self, size: int, at: float) -> None:
        """Note that so many bytes have come."""
        self.left -= size
        if self._first is None and self.left <= self._uncounted:
            self._first = (at, self.left)

    def measure(self, at: float) -> Block:
        """Return seconds and bytes of the counted part, now that all has come."""
        since, size = self._first or (at, 0)
        return Block(at - since, size)


def decide_throughput(blocks: Sequence[Block]) -> float | None:
    """Return bytes a second: the median of the whole blocks; on a slow line what the first says."""
    rates = [block.bytes_per_second for block in blocks[1:] or blocks]
    known = [rate for rate in rates if rate is not None]
    return median(known) if known else None


def is_slow(first: Block, block_bytes: int) -> bool:
    """True where a block of this size would hold the line up for too long."""
    rate = first.bytes_per_second
    return rate is not None and block_bytes / rate > BLOCK_SECONDS_MAX


def is_window_limited(round_trip: float, throughput: float, block_bytes: int) -> bool:
    """True where the way holds more than a block: more may go through than a block can show."""
    return round_trip * throughput > block_bytes
