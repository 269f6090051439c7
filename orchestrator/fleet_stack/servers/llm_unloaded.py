"""
Stand in for a model server whose model was unloaded.

`python -m fleet_stack.servers.llm_unloaded MODEL PORT`

The process that served the model has become this one by exec, so no memory of it is left. It says
that the model is unloaded, answers calls with 503, and becomes the server again when asked to load.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RETRY_SECONDS = 5
UNLOADED = {
    "error": {"message": "the model is unloaded; POST /models/load brings it back", "code": 503}
}


def become(module: str, *arguments: str) -> None:
    """Replace this process by a module, with no file or connection kept open."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # it would end the new program at its start
    os.closerange(3, 65536)
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606


def decide_reply(method: str, path: str, model: str) -> tuple[int, dict[str, Any], bool]:
    """Return status and body of a reply, and whether the model is to be loaded after it."""
    if (method, path) == ("POST", "/models/load"):
        return 200, {"success": True}, True
    if (method, path) == ("GET", "/health"):
        return 200, {"status": "unloaded"}, False  # all is well: it was told to let go
    if method == "GET" and path in {"/models", "/v1/models"}:
        entry = {"id": model, "owned_by": "llamacpp", "status": {"value": "unloaded"}}
        return 200, {"object": "list", "data": [entry]}, False
    return 503, UNLOADED, False


def make_handler(model: str, load: threading.Event) -> type[BaseHTTPRequestHandler]:
    """Return the handler for one model; it sets `load` when somebody wants the model."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0  # a connection that says nothing does not stay

        def _reply(self) -> None:
            status, body, is_wanted = decide_reply(self.command, self.path, model)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status == 503:
                self.send_header("Retry-After", str(RETRY_SECONDS))
            self.end_headers()
            self.wfile.write(content)
            if is_wanted:
                load.set()

        do_GET = do_POST = _reply  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Say nothing: the worker asks every few seconds."""

    return Handler


def main(arguments: list[str]) -> int:
    """Answer until the model is wanted again, or until SIGTERM."""
    model, port = Path(arguments[0]), int(arguments[1])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # it is unloaded already
    load = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", port), make_handler(model.stem, load))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"{model.name} is unloaded until it is wanted again", flush=True)  # noqa: T201
    load.wait()
    become("fleet_stack.servers.llm", *arguments)
    return 1  # not reached


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
