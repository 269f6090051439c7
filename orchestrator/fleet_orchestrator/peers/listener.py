"""
The side that is called: proves its caller, echoes, times what it is sent.

A stranger costs a line and two seconds; a caller four blocks and ten seconds; eight connections at
once are all there is room for. Whatever one of them does, the others go on.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING

from fleet_orchestrator.peers import protocol
from fleet_orchestrator.peers.protocol import Arrival, PeerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)
CONNECTIONS_MAX = 8
READ_BYTES = 64 * 1024


class Listener:
    """Serves callers; `keys` and `block_bytes` are new with each round."""

    def __init__(
        self,
        held_back: Callable[[], str | None],
        proof_seconds: float = protocol.PROOF_SECONDS,
        call_seconds: float = protocol.CALL_SECONDS,
    ) -> None:
        self.keys: Sequence[bytes] = ()
        self.block_bytes = 0
        self.refused: Counter[str] = Counter()
        self._held_back = held_back
        self._proof_seconds = proof_seconds
        self._call_seconds = call_seconds
        self._open = 0
        self._is_receiving = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one caller until either has enough."""
        self._open += 1
        try:
            async with asyncio.timeout(self._call_seconds):
                await self._speak(reader, writer)
        except PeerError as exc:
            self._refuse("broken", str(exc))
        except TimeoutError:
            self._refuse("timeout", "too slow")
        except asyncio.CancelledError:
            logger.debug("The agent ends.")  # Python 3.11 would log our own cancelling as an error
        except (OSError, EOFError, ValueError) as exc:  # ValueError: a line without an end
            self._refuse("broken", repr(exc))
        finally:
            self._open -= 1
            writer.transport.abort()  # whoever reads nothing does not hold what we have said

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open > CONNECTIONS_MAX:
            self._refuse("full", "too many connections")
            await _say(writer, "full")
            return
        nonce = secrets.token_hex(16)
        await _say(writer, f"fleet-peer {protocol.VERSION} {nonce}")
        async with asyncio.timeout(self._proof_seconds):
            line = await reader.readline()
        caller, proof = protocol.parse_call(line)
        if not protocol.is_proved(self.keys, caller, nonce, proof):
            self._refuse("wrong_proof", caller)
            await _say(writer, "refused")
            return
        await _say(writer, "welcome")
        await self._answer(reader, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sends = 0
        for _ in range(protocol.ECHOES + protocol.SENDS_MAX):
            line = await reader.readline()
            if not line:
                return
            words = protocol.parse_words(line, "echo", "send")
            if words[0] == "echo":
                await _say(writer, "echo")
                continue
            sends += 1
            size = protocol.parse_send(words, self.block_bytes)
            if sends > protocol.SENDS_MAX:
                raise PeerError("one block too many")
            await self._receive(size, reader, writer)

    async def _receive(
        self, size: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        reason = "busy" if self._is_receiving else self._held_back()
        if reason is not None:
            await _say(writer, f"no {reason}")
            return
        self._is_receiving = True
        try:
            arrival = Arrival(size)
            await _say(writer, "go")
            while arrival.left:
                data = await reader.read(min(READ_BYTES, arrival.left))
                if not data:
                    raise PeerError("the block ends early")
                arrival.add(len(data), time.perf_counter())
            block = arrival.measure(time.perf_counter())
        finally:
            self._is_receiving = False
        await _say(writer, f"got {block.seconds:.9f} {block.size_bytes}")

    def _refuse(self, reason: str, why: str) -> None:
        self.refused[reason] += 1
        logger.debug("A peer was not served.", extra={"reason": reason, "why": why})


async def _say(writer: asyncio.StreamWriter, line: str) -> None:
    writer.write(f"{line}\n".encode())
    await writer.drain()
