"""
A stand-in for Alertmanager: silences of its API, version 2, in memory.

    with AlertmanagerDouble().serving() as alertmanager:
        Alertmanager(alertmanager.url)
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fix_http import QuietHandler, listen, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

API = "/api/v2/"


class AlertmanagerDouble:
    """Keeps silences as Alertmanager does; `failing` is a status to answer everything with."""

    def __init__(self) -> None:
        self.silences: dict[str, dict[str, Any]] = {}
        self.failing = 0
        self.forgets = False
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[AlertmanagerDouble]:
        """Answer on a port of loopback."""
        double = self

        class Handler(QuietHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                sent = json.loads(self.rfile.read(length) or "null")
                path = self.path.removeprefix(API)
                status, told = double.answer(self.command, path, sent)
                self.reply(status, b"" if told is None else json.dumps(told).encode())

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def do_DELETE(self) -> None:
                self.answer()

        with serving(listen(Handler)) as self.url:
            yield self

    def answer(self, method: str, path: str, sent: Any) -> tuple[int, Any]:
        if self.failing:
            return self.failing, "it fails"
        if method == "POST":
            return self.put(sent)
        if path == "silences":
            return 200, [self.show(known) for known in self.silences]
        known = path.removeprefix("silence/")
        if known not in self.silences:
            return 404, None
        if method == "DELETE":
            self.silences[known]["endsAt"] = datetime.now(UTC).isoformat()
            return 200, None
        return 200, self.show(known)

    def put(self, sent: dict[str, Any]) -> tuple[int, Any]:
        if any(matcher["value"] == "(" for matcher in sent["matchers"]):
            return 400, "error parsing regexp: missing closing )"
        known = str(uuid.uuid4())
        if not self.forgets:
            self.silences[known] = sent
        return 200, {"silenceID": known}

    def show(self, known: str) -> dict[str, Any]:
        silence, now = self.silences[known], datetime.now(UTC)
        is_over = datetime.fromisoformat(silence["endsAt"]) <= now
        is_early = datetime.fromisoformat(silence["startsAt"]) > now
        state = "expired" if is_over else "pending" if is_early else "active"
        return {"id": known, "status": {"state": state}, "updatedAt": now.isoformat(), **silence}

    def states(self) -> list[str]:
        return [self.show(known)["status"]["state"] for known in self.silences]
