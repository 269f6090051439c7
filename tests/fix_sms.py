"""What Alertmanager's webhook says, and a provider that answers as told."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def webhook(*nodes, name="NodeDown", status="firing", said="It is gone.", **labels):
    """A notice of version 4 about an alert on these nodes."""
    alerts = [
        {
            "status": status,
            "labels": {"alertname": name, "severity": "critical", "node": node, **labels},
            "annotations": {"description": said, "summary": "In short."},
            "fingerprint": f"{name}-{node}",
        }
        for node in nodes
    ]
    group = f'{{}}/{{severity="critical"}}:{{alertname="{name}"}}'
    return {"version": "4", "groupKey": group, "status": status, "alerts": alerts,
            "truncatedAlerts": 0}  # fmt: skip


class Provider(ThreadingHTTPServer):
    """Keeps requests; answers with the next of `answers`, and 201 when there is none."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.answers = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One message."""

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        code, text, headers = self.server.answers.pop(0) if self.server.answers else (201, "{}", {})
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST  # noqa: N815 - the name of http.server

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def run_server(server):
    """Serve in a thread until the block is over."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
