"""
The part of the node agent that measures the network to its peers.

One thread of its own does all that may take time: it listens, and calls whom it is told to. The
agent's heartbeat only asks the database whom to call, and stores what came of it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.json import Jsonb

from fleet_orchestrator import runtime
from fleet_orchestrator.peers import protocol
from fleet_orchestrator.peers.address import read_scope
from fleet_orchestrator.peers.caller import Call, Order, call
from fleet_orchestrator.peers.listener import Listener
from fleet_orchestrator.peers.traffic import Restraint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from fleet_timescale.connection import Connection

    from fleet_orchestrator.peers.address import PeerAddress

logger = logging.getLogger(__name__)
FILE = "peers.json"
ROUND = "SELECT fleet.peer_round(%s, %s, %s) AS value"
RECORD = "SELECT fleet.record_peers(%s) AS value"
VALID_ROUNDS = 3  # for so long the exporter shows what was measured
FAILED_SECONDS = 60.0  # until the next try after the database has refused something


async def call_all(
    node: str,
    orders: list[Order],
    block_bytes: int,
    patience_seconds: float = protocol.CALL_SECONDS,
) -> list[Call]:
    """Call all peers at once, then the one that is sent to: nothing else of ours disturbs it."""
    ask = partial(call, node, block_bytes=block_bytes, patience_seconds=patience_seconds)
    calls = await asyncio.gather(*(ask(order) for order in orders if not order.is_receiver))
    last = [await ask(order) for order in orders if order.is_receiver]
    return [*calls, *last]


@dataclass(frozen=True)
class Line:
    """What of a node is open to its peers: its loop runs the listener and the calls."""

    address: str  # as they call it
    loop: asyncio.AbstractEventLoop
    listener: Listener
    restraint: Restraint


class Peers:
    """What the agent's heartbeat asks and stores; the line does the rest."""

    def __init__(
        self,
        node: str,
        folder: Path,
        line: Line,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._path = folder / FILE
        self._line = line
        self._clock = clock
        self._round_at = clock()
        self._round_seconds = 0.0
        self._calling: Future[list[Call]] | None = None
        self._calls: Counter[str] = Counter()
        self._held_back: Counter[str] = Counter()
        self._sent_bytes = 0

    @property
    def address(self) -> str:
        """Where peers call this node."""
        return self._line.address

    def exchange(self, connection: Connection) -> None:
        """
        Store what came of the last calls, or ask for the next ones; called with each heartbeat.

        Never waits for a peer. Raises OperationalError where the connection is lost.
        """
        try:
            self._line.restraint.look()
            if self._calling is not None and self._calling.done():
                self._record(connection, self._calling.result())
                self._calling = None
            elif self._calling is None and self._clock() >= self._round_at:
                self._begin_round(connection)
        except psycopg.OperationalError:
            raise
        except Exception:
            # Heartbeats are worth more than this measuring.
            logger.exception("The network to the peers cannot be measured.")
            self._calling, self._round_at = None, self._clock() + FAILED_SECONDS

    def _begin_round(self, connection: Connection) -> None:
        scope, reason = read_scope(self.address), self._line.restraint.reason()
        said = connection.execute(ROUND, [self.address, scope, reason])
        answer = said.fetchall()[0]["value"]
        self._round_seconds = answer["next_seconds"]
        self._round_at = self._clock() + self._round_seconds
        self._line.listener.keys = [bytes.fromhex(key) for key in answer["keys"]]
        self._line.listener.block_bytes = answer["block_bytes"]
        self._note_held_back(answer["held_back"])
        orders = [Order.parse(entry) for entry in answer["calls"]]
        if orders:
            calling = call_all(self._node, orders, answer["block_bytes"])
            self._calling = asyncio.run_coroutine_threadsafe(calling, self._line.loop)

    def _note_held_back(self, reason: str | None) -> None:
        if reason is not None:
            self._held_back[reason] += 1

    def _record(self, connection: Connection, calls: list[Call]) -> None:
        rows = [asdict(each) | {"time": each.time.isoformat()} for each in calls]
        published = connection.execute(RECORD, [Jsonb(rows)]).fetchall()[0]["value"]
        for each in calls:
            self._calls[each.state] += 1
            self._sent_bytes += each.sent_bytes
            self._note_held_back(each.reason)
        content = {
            "valid_seconds": VALID_ROUNDS * self._round_seconds,
            "peers": published,
            "calls": self._calls,
            "held_back": self._held_back,
            "refused": dict(self._line.listener.refused),
            "sent_bytes": self._sent_bytes,
        }
        runtime.write(self._path, content)


@contextmanager
def beside(node: str, folder: Path, address: PeerAddress | None) -> Iterator[Peers | None]:
    """
    Listen and call while it is entered.

    Give None without an address, and where nobody can listen at it: the agent does all else.
    """
    if address is None:
        yield None
        return
    restraint = Restraint(folder)
    listener = Listener(restraint.reason)
    with _running_loop() as loop:
        serving = _listen(listener, address)
        try:
            server = asyncio.run_coroutine_threadsafe(serving, loop).result()
        except OSError as exc:
            extra = {"host": address.host, "port": address.port, "error": str(exc)}
            logger.error("Peers cannot be listened for.", extra=extra)  # noqa: TRY400 - no bug
            yield None
            return
        try:
            announced = address.announce(server.sockets[0].getsockname()[1])
            yield Peers(node, folder, Line(announced, loop, listener, restraint))
        finally:
            asyncio.run_coroutine_threadsafe(_end(server), loop).result()


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="peers", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(listener: Listener, address: PeerAddress) -> asyncio.Server:
    return await asyncio.start_server(
        listener.serve, address.host, address.port, limit=protocol.STREAM_LIMIT, backlog=16
    )


async def _end(server: asyncio.Server) -> None:
    """Listen no more, and break off all that goes on."""
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
