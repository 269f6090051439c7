"""
Catch mail on loopback and store each message as one .eml file; nothing is sent on.

`python -m fleet_stack.servers.mail PORT FOLDER`
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

MESSAGE_BYTES = 10_000_000
FILE_MODE = 0o600


class Folder:
    """Stores the messages that the mail server receives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one message; the sender hears of a full disk and tries again."""
        try:
            store_message(self.folder, envelope.mail_from, envelope.rcpt_tos, envelope.content)
        except OSError as exc:
            return f"452 Message not stored: {exc.strerror}"
        return "250 Message stored"


def store_message(folder: Path, sender: str, recipients: list[str], content: bytes) -> Path:
    """Write the message, its envelope first, atomically; names sort by time."""
    envelope = EmailMessage()
    envelope["X-Envelope-From"] = sender or "<>"
    envelope["X-Envelope-To"] = ", ".join(recipients)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}.eml"
    scratch = folder / f".{name}"
    scratch.write_bytes(envelope.as_bytes().rstrip(b"\n") + b"\n" + content)
    scratch.chmod(FILE_MODE)
    return scratch.replace(folder / name)


async def serve(port: int, folder: Path) -> None:
    """Listen until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    factory = partial(
        SMTP,
        Folder(folder),
        data_size_limit=MESSAGE_BYTES,
        hostname="localhost",
        ident="fleet mail",
    )
    server = await loop.create_server(factory, "127.0.0.1", port)
    async with server:
        await stopped.wait()


def main(argv: list[str]) -> int:
    """Run the catcher."""
    port, folder = argv
    asyncio.run(serve(int(port), Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
