"""Two agents call each other over real sockets, and whatever may be at the other end instead."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from fleet_orchestrator.peers import protocol
from fleet_orchestrator.peers.agent import call_all
from fleet_orchestrator.peers.caller import Order, call
from fleet_orchestrator.peers.listener import CONNECTIONS_MAX, Listener

KEY = bytes(range(32))
BLOCK = 256 * 1024
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST
QUICK = 0.3  # seconds of patience with what never ends


def order(port, *, key=KEY, is_receiver=False, peer="beta"):
    return Order(peer, "127.0.0.1", port, protocol.derive_key(key, "alpha"), is_receiver)


@asynccontextmanager
async def serving(serve):
    """A port at which this serves; in the end all connections are closed."""
    tasks = set()

    async def run(reader, writer):
        tasks.add(asyncio.current_task())
        with suppress(asyncio.CancelledError, ConnectionError):
            await serve(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(run, "127.0.0.1", 0, limit=protocol.STREAM_LIMIT)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def connected(port):
    """Reader and writer of a connection, and the nonce that it was greeted with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer, protocol.parse_greeting(await reader.readline())
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


def present(nonce):
    """The line of a caller who knows the key."""
    return f"call alpha {protocol.prove(protocol.derive_key(KEY, 'alpha'), nonce)}\n".encode()


def listener(reason=None, **patience):
    made = Listener(lambda: reason, **patience)
    made.keys, made.block_bytes = [bytes(32), KEY], BLOCK
    return made


def run_call(serve, **how):
    """Call what serves; return what came of it."""

    async def run():
        async with serving(serve) as port:
            return await call("alpha", order(port, **how), BLOCK, 2 if how else QUICK)

    return asyncio.run(run())


def test_round_trip_is_measured():
    """Nothing is sent where the peer is not to receive."""
    made = run_call(listener().serve, key=KEY)

    assert made.state == "ok"
    assert 0 < made.round_trip_seconds < 1
    assert (made.throughput_bytes_per_second, made.sent_bytes) == (None, 0)


def test_throughput_is_measured():
    """A first block and three whole ones are sent, and the listener says how quick they came."""
    made = run_call(listener().serve, is_receiver=True)

    assert made.state == "ok"
    assert made.sent_bytes == 64 * 1024 + 3 * BLOCK
    assert made.throughput_bytes_per_second > 1e6


@pytest.mark.parametrize("reason", ["gaming", "work", "hot", "busy", "unknown"])
def test_peer_that_is_held_back_gets_nothing(reason):
    """It may have begun a game since it was chosen: it says so, and the round trip stands."""
    made = run_call(listener(reason).serve, is_receiver=True)

    assert (made.state, made.reason, made.sent_bytes) == ("ok", reason, 0)
    assert made.round_trip_seconds > 0


def test_wrong_key_is_refused_and_counted():
    """Who was not told the key gets no echo and can send nothing."""
    served = listener()

    made = run_call(served.serve, key=bytes(31) + b"x")

    assert (made.state, made.round_trip_seconds) == ("refused", None)
    assert served.refused == {"wrong_proof": 1}


def test_keys_of_other_windows_are_refused():
    """A key of an hour ago is none."""
    served = listener()
    served.keys = [b"y" * 32]

    assert run_call(served.serve, key=KEY).state == "refused"


def test_proof_that_was_overheard_is_worth_nothing():
    """It belongs to the nonce of that call."""
    served = listener()

    async def replay():
        async with serving(served.serve) as port, connected(port) as (reader, writer, _):
            writer.write(present("0" * 32))
            return await reader.readline()

    assert asyncio.run(replay()) == b"refused\n"


async def be_silent(reader, writer):
    await asyncio.Event().wait()  # which nobody sets


async def talk_for_ever(reader, writer):
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def reset(reader, writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.close()


async def show_a_login_page(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n<html>")
    writer.close()


async def close(reader, writer):
    writer.close()


@pytest.mark.parametrize(
    ("serve", "state"),
    [(be_silent, "timeout"), (talk_for_ever, "broken"), (reset, "broken"),
     (show_a_login_page, "broken"), (close, "broken")],
)  # fmt: skip
def test_bad_peer_costs_its_time_and_no_more(serve, state):
    """Silence, endless data, a reset, another service: a state each, never an exception."""
    made = run_call(serve)

    assert (made.state, made.round_trip_seconds) == (state, None)


def test_absent_peer_is_unreachable():
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    made = asyncio.run(call("alpha", order(port), BLOCK))

    assert made.state == "unreachable"


def test_bad_peer_delays_no_other():
    """All are called at once; the one that is sent to comes last, alone."""

    async def run():
        served = listener()
        async with serving(be_silent) as silent, serving(served.serve) as good:
            orders = [
                order(good, is_receiver=True),
                *(order(silent, peer=f"silent-{n}") for n in range(3)),
                order(good, peer="gamma"),
            ]
            return await asyncio.wait_for(call_all("alpha", orders, BLOCK, QUICK), 5)

    made = asyncio.run(run())

    assert [each.state for each in made] == ["timeout"] * 3 + ["ok", "ok"]
    assert made[-1].peer == "beta"
    assert made[-1].throughput_bytes_per_second


def converse(served, *said, is_proved=True):
    """Say this with a right proof or none; return all that the listener says until it closes."""

    async def run():
        answer = b""
        async with serving(served.serve) as port, connected(port) as (reader, writer, nonce):
            for each in ([present(nonce)] if is_proved else []) + list(said):
                writer.write(each)
            with suppress(ConnectionError):
                while data := await asyncio.wait_for(reader.read(65536), 5):
                    answer += data
        return answer

    return asyncio.run(run())


@pytest.mark.parametrize(
    "said",
    [b"send 262145\n", b"send -1\n", b"send\n", b"send x\n", b"give 5\n", b"send 0\n",
     b"\xff\xfe\n", b"x" * 300_000],
)  # fmt: skip
def test_nonsense_ends_the_call(said):
    """More than the largest block, no number, another word, a line without an end."""
    served = listener()

    assert b"go" not in converse(served, said)
    assert served.refused == {"broken": 1}


def test_caller_sends_four_blocks_at_most():
    """Then the call is over, whatever it asks for."""
    served = listener()
    block = b"send 1000\n" + b"x" * 1000

    answer = converse(served, *[block] * 6)

    assert answer.count(b"got ") == protocol.SENDS_MAX
    assert served.refused == {"broken": 1}


def test_second_sender_is_turned_away():
    """Two blocks at once would measure each other."""
    served = listener()

    async def ask(reader, writer, nonce):
        writer.write(present(nonce) + b"send 1000\n")
        assert await reader.readline() == b"welcome\n"
        return await reader.readline()

    async def run():
        async with (
            serving(served.serve) as port, connected(port) as first, connected(port) as second
        ):  # fmt: skip
            return [await ask(*first), await ask(*second)]

    assert asyncio.run(run()) == [b"go\n", b"no busy\n"]


@pytest.mark.parametrize("said", [b"", b"call alpha"])
def test_stranger_has_little_time(said):
    """Whoever does not prove himself is put out."""
    served = listener(proof_seconds=0.1)

    converse(served, said, is_proved=False)

    assert served.refused == {"timeout": 1}


def test_caller_that_stops_in_a_block_is_put_out():
    """And the next caller may send."""
    served = listener(call_seconds=0.3)

    converse(served, b"send 1000\n", b"x" * 10)

    assert served.refused == {"timeout": 1}
    assert b"got " in converse(served, b"send 10\n", b"x" * 10)


def test_connections_are_bounded():
    """Who finds no room is told so, and those who have it are served."""
    served = listener()

    async def run():
        async with serving(served.serve) as port, AsyncExitStack() as held:
            for _ in range(CONNECTIONS_MAX):
                await held.enter_async_context(connected(port))
            return await call("alpha", order(port), BLOCK)

    assert asyncio.run(run()).state == "refused"
    assert served.refused["full"] == 1
