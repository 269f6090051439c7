"""What people would get: a mail server and the ear of the bridge for text messages."""

from __future__ import annotations

import asyncio
import email
import json
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import policy
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP
from watchers import CRITICAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SUBJECT = re.compile(r"\[(?P<status>\w+) ?\w*\] (?P<alert>\w+)")
FIRING = re.compile(r"^FIRING .*?(?=^RESOLVED|\Z)", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"^\* (.+)\n  (.*)$", re.MULTILINE)  # of an alert, then its description
INSTANCE = re.compile(r"\((127\.0\.0\.1:\d+)\)")


@dataclass(frozen=True)
class Notice:
    """One message; `places` are the nodes, or else addresses, of the alerts that fire in it."""

    at: float  # monotonic seconds
    receiver: str
    alert: str
    status: str
    places: tuple[str, ...]

    @property
    def is_mail(self) -> bool:
        """True for a mail, false for a text message."""
        return self.receiver.endswith("-mail")


@dataclass
class Notices:
    """Keeps all messages in the order in which they came."""

    told: list[Notice] = field(default_factory=list)

    @asynccontextmanager
    async def receiving_mails(self) -> AsyncIterator[str]:
        """Run a mail server and yield its address."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(self, hostname="localhost", loop=loop), "127.0.0.1", 0
        )
        try:
            yield "{}:{}".format(*server.sockets[0].getsockname())
        finally:
            server.close()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Keep a mail; aiosmtpd calls this once it has all of it."""
        at = time.monotonic()
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        text = message.get_body(("plain",)).get_content().replace("\r\n", "\n")
        subject = SUBJECT.match(message["Subject"])
        receiver = "critical-mail" if CRITICAL in envelope.rcpt_tos else "warning-mail"
        self.told.append(
            Notice(at, receiver, subject["alert"], subject["status"].lower(), find_places(text))
        )
        return "250 OK"

    def hear_text_message(self, _path: str, body: bytes) -> bytes:
        """Keep what the bridge would send as a text message."""
        told = json.loads(body)
        firing = [alert["labels"] for alert in told["alerts"] if alert["status"] == "firing"]
        places = tuple(labels.get("node") or labels.get("instance", "") for labels in firing)
        alert = told["groupLabels"]["alertname"]
        self.told.append(Notice(time.monotonic(), told["receiver"], alert, told["status"], places))
        return b"{}"


def find_places(text: str) -> tuple[str, ...]:
    """Return where the alerts of a mail fire: the node, or the address of a program."""
    firing = FIRING.search(text)
    found = PLACE.findall(firing[0]) if firing else []
    return tuple(
        address[1] if (address := INSTANCE.search(said)) else node.split(" (")[0]
        for node, said in found
    )
