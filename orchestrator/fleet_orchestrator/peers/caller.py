"""The side that calls: measures the round trip, and throughput where it was told to."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet_orchestrator.peers import protocol
from fleet_orchestrator.peers.protocol import Block, PeerError, RefusedError

BLOCKING = 256 * 1024  # bytes of one write; more would only fill our own buffer


@dataclass(frozen=True)
class Order:
    """Whom to call, as fleet.peer_round says it."""

    peer: str
    host: str
    port: int
    key: bytes
    is_receiver: bool

    @classmethod
    def parse(cls, entry: dict[str, Any]) -> Order:
        """Read an entry of its calls."""
        host, _, port = entry["address"].rpartition(":")
        key = bytes.fromhex(entry["key"])
        return cls(entry["peer"], host.strip("[]"), int(port), key, entry["is_receiver"])


@dataclass
class Call:
    """What came of a call; a row of telemetry.peers."""

    time: datetime
    peer: str
    state: str = "ok"
    round_trip_seconds: float | None = None
    throughput_bytes_per_second: float | None = None
    is_window_limited: bool | None = None
    sent_bytes: int = 0
    reason: str | None = None  # why the peer wanted nothing sent


async def call(
    node: str, order: Order, block_bytes: int, patience_seconds: float = protocol.CALL_SECONDS
) -> Call:
    """Call a peer; whatever it does, for no longer than our patience."""
    made = Call(datetime.now(UTC), order.peer)
    try:
        async with asyncio.timeout(patience_seconds):
            await _connect(node, order, block_bytes, made)
    except TimeoutError:
        made.state = "timeout"
    except RefusedError:
        made.state = "refused"
    except (PeerError, OSError, EOFError, ValueError):  # ValueError: a line without an end
        made.state = "broken"
    return made


async def _connect(node: str, order: Order, block_bytes: int, made: Call) -> None:
    try:
        async with asyncio.timeout(protocol.CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                order.host, order.port, limit=protocol.STREAM_LIMIT
            )
    except OSError:  # a time-out is one too
        made.state = "unreachable"
        return
    try:
        await _present(node, order, reader, writer)
        round_trip = made.round_trip_seconds = await _measure_round_trip(reader, writer)
        if not order.is_receiver:
            return
        throughput = await _measure_throughput(block_bytes, round_trip, reader, writer, made)
        if throughput is not None:
            made.throughput_bytes_per_second = throughput
            made.is_window_limited = protocol.is_window_limited(round_trip, throughput, block_bytes)
    finally:
        writer.transport.abort()


async def _present(
    node: str, order: Order, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    nonce = protocol.parse_greeting(await reader.readline())
    writer.write(f"call {node} {protocol.prove(order.key, nonce)}\n".encode())
    if protocol.parse_words(await reader.readline(), "welcome", "refused") == ["refused"]:
        raise RefusedError("the proof is not taken")


async def _measure_round_trip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    """Return the shortest of some: what is longer waited for a processor or a queue."""
    shortest = float("inf")
    for _ in range(protocol.ECHOES):
        began = time.perf_counter()
        writer.write(b"echo\n")
        protocol.parse_words(await reader.readline(), "echo")
        shortest = min(shortest, time.perf_counter() - began)
    return shortest


async def _measure_throughput(
    block_bytes: int,
    round_trip: float,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    made: Call,
) -> float | None:
    blocks: list[Block] = []
    for size in (protocol.FIRST_BYTES, *[block_bytes] * protocol.BLOCKS):
        writer.write(f"send {size}\n".encode())
        answer = protocol.parse_words(await reader.readline(), "go", "no")
        if answer[0] == "no":
            made.reason = answer[1] if len(answer) == 2 else "peer"
            return None
        made.sent_bytes += size
        began = time.perf_counter()
        await _send(size, writer)
        block = protocol.parse_got(await reader.readline())
        blocks.append(block.within(size, time.perf_counter() - began - round_trip))
        if len(blocks) == 1 and protocol.is_slow(block, block_bytes):
            break
    return protocol.decide_throughput(blocks)


async def _send(size: int, writer: asyncio.StreamWriter) -> None:
    """Send noise: a line that compresses, such as a VPN's, would seem faster with anything else."""
    while size:
        data = os.urandom(min(BLOCKING, size))
        writer.write(data)
        await writer.drain()
        size -= len(data)
