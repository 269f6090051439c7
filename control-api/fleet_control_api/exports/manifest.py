"""
The archive's manifest.

What is in it, what was left out, what is derived. Written last, from lists kept on disk.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from typing import TYPE_CHECKING, Any

from fleet_timescale import __version__

from fleet_control_api.exports.contact_lens import SCHEMA_NAMES, SCHEMAS
from fleet_control_api.exports.timing import WORDS_PER_MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

NAME = "manifest.json"
TURNS_MIN = 1000  # what Amazon Lex asks of an import
SPOOL_BYTES = 256 * 1024  # kept in memory before a list goes to disk
DERIVED = {
    "BeginOffsetMillis, EndOffsetMillis, TalkTime, TalkSpeed": (
        f"from the number of words at {WORDS_PER_MINUTE} words a minute, paced by a seed of each "
        "conversation; nobody spoke these calls"
    ),
    "LoudnessScore": "random, from a seed of each conversation",
    "Sentiment": "NEUTRAL and 0 throughout: it was not analysed",
    "Interruptions, NonTalkTime": "none: turns follow each other within a second",
    "Categories": "the scenario that the conversation was written for",
}
PLACEHOLDERS = ["AccountId", "CustomerMetadata.InputS3Uri", "CustomerMetadata.InstanceId"]


class Lines:
    """A list of JSON values that may grow large: beyond a bound it lies in a temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - closed by close()
        self.count = 0

    def add(self, value: dict[str, Any]) -> None:
        """Append a value."""
        self._file.write((",\n" if self.count else "\n").encode() + json.dumps(value).encode())
        self.count += 1

    def read(self) -> Iterator[bytes]:
        """Yield the text of a JSON array of all values."""
        self._file.seek(0)
        yield b"["
        while piece := self._file.read(64 * 1024):
            yield piece
        yield b"]"

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class Manifest:
    """Collects what went into the archive."""

    def __init__(self, made_at: datetime, filters: dict[str, str]) -> None:
        self.made_at = made_at
        self._filters = filters
        self._files = Lines()
        self._left_out = Lines()
        self._turns = 0

    def add_file(self, name: str, data: bytes, turns: int) -> None:
        """Note a file."""
        self._turns += turns
        sha256 = hashlib.sha256(data).hexdigest()
        self._files.add({"name": name, "sha256": sha256, "turns": turns})

    def add_left_out(self, conversation_id: str, reason: str) -> None:
        """Note a conversation that made no valid file."""
        self._left_out.add({"conversation_id": conversation_id, "reason": reason})

    def read(self) -> Iterator[bytes]:
        """Yield the manifest's text in pieces."""
        head = {
            "format": "contact-lens-voice",
            "version": "1.1.0",
            "made_at": self.made_at.isoformat(),
            "made_by": f"transcript-fleet {__version__}",
            "output": "Redacted",
            "filters": self._filters,
            "conversations": self._files.count,
            "turns": self._turns,
            "left_out_count": self._left_out.count,
            "warnings": decide_warnings(self._files.count, self._turns, self._left_out.count),
            "schemas": describe_schemas(),
            "derived": DERIVED,
            "placeholders": PLACEHOLDERS,
        }
        yield json.dumps(head, indent=2).removesuffix("\n}").encode()
        yield b',\n  "left_out": '
        yield from self._left_out.read()
        yield b',\n  "files": '
        yield from self._files.read()
        yield b"\n}\n"

    def close(self) -> None:
        """Give the temporary files back."""
        self._files.close()
        self._left_out.close()


def decide_warnings(conversations: int, turns: int, left_out: int) -> list[str]:
    """Return what the receiver should know before using the archive."""
    warnings = []
    if turns < TURNS_MIN:
        warnings.append(
            f"Amazon Lex needs at least {TURNS_MIN} turns to design a bot; "
            f"these {conversations} conversations have {turns}"
        )
    if left_out:
        warnings.append(f"{left_out} conversations made no valid file and were left out")
    return warnings


def describe_schemas() -> list[dict[str, str]]:
    """Return the schemas that every file was checked against, with their sha256."""
    described = []
    for name in SCHEMA_NAMES:
        data = (SCHEMAS / name).read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        described.append({"name": name, "id": json.loads(data)["$id"], "sha256": sha256})
    return described
