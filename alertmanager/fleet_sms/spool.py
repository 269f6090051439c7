"""
Messages on disk: those to be sent, those that are done but not in the database yet, and the state.

One small file each, replaced atomically and flushed: Alertmanager is told `taken` only afterwards.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fleet_sms.cap import State

if TYPE_CHECKING:
    from pathlib import Path

WAITING_MAX = 1000  # files; the cap lets 60 an hour to ten numbers in
DONE_MAX = 5000
FILE_MODE = 0o600


@dataclass(frozen=True)
class Message:
    """A text for a number."""

    message_id: str
    alertname: str
    state: str  # firing, resolved, or more: it stands for those that were held back
    number: str
    text: str
    queued_at: float  # seconds since the epoch

    @property
    def file(self) -> str:
        """The name of its file; names sort by time."""
        return f"{self.queued_at:017.6f}-{self.message_id}.json"


@dataclass(frozen=True)
class Done:
    """What became of a message."""

    message: Message
    outcome: str  # sent, refused or expired
    tries: int
    finished_at: float
    reason: str = ""


class SpoolFullError(Exception):
    """More messages wait than the spool keeps."""


@dataclass(frozen=True)
class Spool:
    """A folder with two folders and a file."""

    folder: Path

    @property
    def _waiting(self) -> Path:
        return self.folder / "waiting"

    @property
    def _done(self) -> Path:
        return self.folder / "done"

    def prepare(self) -> None:
        """Make the folders, and remove what an interrupted write has left."""
        for folder in (self._waiting, self._done):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self.folder.rglob(".*.new"):
            left.unlink()

    def read_state(self) -> State:
        """Return the state; a fresh one where there is none that can be read."""
        try:
            told = json.loads((self.folder / "state.json").read_text())
            pairs = {str(key): (str(one), float(at)) for key, (one, at) in told["told"].items()}
            held = {str(name): int(count) for name, count in told["held"].items()}
            return State(float(told["tokens"]), float(told["at"]), pairs, held)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return State()

    def store_state(self, state: State) -> None:
        """Keep the state."""
        store(self.folder / "state.json", asdict(state))

    def add(self, message: Message) -> None:
        """Keep a message until it is done. Raises OSError and SpoolFullError."""
        if self.count_waiting() >= WAITING_MAX:
            raise SpoolFullError
        store(self._waiting / message.file, asdict(message))

    def list_waiting(self) -> list[Message]:
        """Return the messages to be sent, oldest first."""
        return [Message(**told) for told in _read_all(self._waiting)]

    def count_waiting(self) -> int:
        """Return how many messages wait."""
        return sum(1 for _ in self._waiting.glob("[0-9]*.json"))

    def finish(self, done: Done) -> None:
        """Move a message to those that the database is to be told of."""
        message = done.message
        if self.count_done() < DONE_MAX:
            store(self._done / message.file, asdict(done))
        (self._waiting / message.file).unlink(missing_ok=True)

    def list_done(self, limit: int) -> list[Done]:
        """Return the oldest that the database does not know of."""
        found = _read_all(self._done, limit)
        return [Done(**{**told, "message": Message(**told["message"])}) for told in found]

    def count_done(self) -> int:
        """Return how many the database does not know of."""
        return sum(1 for _ in self._done.glob("[0-9]*.json"))

    def forget(self, done: Done) -> None:
        """Remove one that the database knows of."""
        (self._done / done.message.file).unlink(missing_ok=True)


def make_message(alertname: str, state: str, number: str, text: str, now: float) -> Message:
    """Return a new message."""
    return Message(str(uuid.uuid4()), alertname, state, number, text, now)


def store(path: Path, content: dict[str, Any]) -> None:
    """Replace a file; returns when it is on disk."""
    scratch = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def _read_all(folder: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """Return what is in the files of a folder, in the order of their names."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("[0-9]*.json"))[:limit]]
