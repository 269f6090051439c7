"""What the control API is compared with: the least that gunicorn, and Flask in it, can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment


def bare(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer ok without a framework."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


flask = Flask(__name__)


@flask.get("/")
def hello() -> str:
    """Answer ok with Flask."""
    return "ok"
