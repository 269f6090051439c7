"""
All virtual model servers of the twin in one process, each below a path of its own.

`/NODE/v1/...` is an OpenAI-compatible server as llama.cpp's router has it. One event loop serves
them all; a thread holds it, so that the loops of the machines run beside it.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleet_twin.faults import LOGIN_PAGE, MODEL_DOWN, MODEL_FAILING
from fleet_twin.model_server import shapes, wire
from fleet_twin.model_server.behaviour import Load
from fleet_twin.model_server.completion import VirtualServer
from fleet_twin.model_server.generation import Clock
from fleet_twin.model_server.tokens import split_tokens

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Callable, Iterator

    from fleet_twin.model_server.behaviour import Behaviour


@dataclass
class ModelServer:
    """
    Answers for every machine of which `read_behaviour` knows; it raises KeyError for others.

    `address` is host:port once it listens.
    """

    read_behaviour: Callable[[str], Behaviour]
    clock: Clock = field(default_factory=Clock)
    address: str = ""
    _servers: dict[str, VirtualServer] = field(default_factory=dict)

    def url(self, node: str) -> str:
        """Return what a worker of this node is given as the address of its model server."""
        return f"http://{self.address}/{node}/v1"

    def read_load(self, node: str) -> Load:
        """Return what the server asks of its machine now; from any thread."""
        server = self._servers.get(node)
        return server.load if server else Load()

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[None]:
        """Answer requests meanwhile."""
        connections: set[asyncio.Task[None]] = set()

        async def accept(reader: StreamReader, writer: StreamWriter) -> None:
            task = asyncio.current_task()
            if task:
                connections.add(task)
                task.add_done_callback(connections.discard)
            with suppress(ConnectionError, asyncio.CancelledError):
                await self._serve(reader, writer)
            writer.close()

        server = await asyncio.start_server(accept, host, port, limit=wire.HEAD_BYTES_MAX)
        self.address = "{}:{}".format(*server.sockets[0].getsockname()[:2])
        try:
            yield
        finally:
            server.close()
            for task in list(connections):
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer the requests of one connection; stop at once when its client hangs up."""
        while request := await wire.read_request(reader):
            if self._is_down(request):
                return
            answer = asyncio.create_task(self._answer(request, writer))
            hung_up = asyncio.create_task(reader.read(1))  # a client says nothing meanwhile
            try:
                await asyncio.wait({answer, hung_up}, return_when=asyncio.FIRST_COMPLETED)
                if not answer.done() or hung_up.done():
                    return
                answer.result()
                await writer.drain()
            finally:
                for task in (answer, hung_up):
                    task.cancel()
                await asyncio.gather(answer, hung_up, return_exceptions=True)

    def _is_down(self, request: wire.Request) -> bool:
        """Tell whether nobody is to answer: the server of this machine has ended."""
        try:
            behaviour = self.read_behaviour(request.path.lstrip("/").partition("/")[0])
        except KeyError:
            return False
        return MODEL_DOWN in behaviour.faults

    async def _answer(self, request: wire.Request, writer: StreamWriter) -> None:
        node, _, page = request.path.lstrip("/").partition("/")
        try:
            behaviour = self.read_behaviour(node)
        except KeyError:
            wire.send_json(
                writer, shapes.render_error("File Not Found", "not_found_error", 404), 404
            )
            return
        if LOGIN_PAGE in behaviour.faults:
            wire.send_whole(writer, shapes.LOGIN_PAGE, "text/html; charset=utf-8")
            return
        server = self._find(node)
        server.slots.resize(behaviour.slots)
        page = page.removeprefix("v1/")
        is_call = request.method == "POST" and page == "chat/completions"
        if MODEL_FAILING in behaviour.faults:
            server.has_model = False
        if is_call and (problem := shapes.find_problem(behaviour)) is not None:
            wire.send_json(writer, shapes.render_error(*problem), problem[2])
        elif is_call:
            await server.complete(request.body, writer)
        elif request.method == "POST" and page in {"models/load", "models/unload"}:
            server.has_model = page == "models/load"
            wire.send_json(writer, {"success": True})
        elif (found := _read_page(page, request, server, behaviour)) is not None:
            wire.send_json(writer, found)
        else:
            wire.send_json(
                writer, shapes.render_error("File Not Found", "not_found_error", 404), 404
            )

    def _find(self, node: str) -> VirtualServer:
        if node not in self._servers:
            self._servers[node] = VirtualServer(lambda: self.read_behaviour(node), self.clock)
        return self._servers[node]


def _read_page(
    page: str, request: wire.Request, server: VirtualServer, behaviour: Behaviour
) -> Any | None:
    """Return the content of a page; None where there is none."""
    if request.method == "POST" and page == "tokenize":
        try:
            content = json.loads(request.body)["content"]
        except (ValueError, KeyError, TypeError):
            return None
        return {"tokens": [hash(token) % 150_000 for token in split_tokens(str(content))]}
    pages: dict[str, Callable[[], Any]] = {
        "health": lambda: {"status": "ok"},
        "models": lambda: shapes.render_models(behaviour, has_model=server.has_model),
        "slots": lambda: shapes.render_slots(server.slots.slots, behaviour),
        "props": lambda: shapes.render_props(behaviour),
    }
    return pages[page]() if request.method == "GET" and page in pages else None


@contextmanager
def serve(
    read_behaviour: Callable[[str], Behaviour],
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Clock | None = None,
) -> Iterator[ModelServer]:
    """Run the servers in a thread of their own; at port 0 on any free one."""
    server = ModelServer(read_behaviour, clock or Clock())
    started: threading.Event = threading.Event()
    failed: list[OSError] = []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        try:
            async with server.listening(host, port):
                started.set()
                await stop.wait()
        except OSError as exc:
            failed.append(exc)
            started.set()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="model server")
    thread.start()
    started.wait()
    try:
        if failed:
            raise failed[0]
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
