"""
The node's runtime files.

How exporter, agent and worker of one node tell each other how things stand.
"""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
STALE = timedelta(seconds=30)  # six ticks of the exporter: older than this says nothing


def write(path: Path, content: dict[str, Any]) -> None:
    """
    Replace a file at once, so that no reader sees half of it.

    Not synced, since it means nothing after a crash.
    """
    # Two threads of one program may write the same file.
    temporary = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.tmp")
    temporary.write_text(
        json.dumps({"version": VERSION, "time": datetime.now(UTC).isoformat(), **content})
    )
    temporary.replace(path)


def read(path: Path, now: datetime, stale: timedelta | None = STALE) -> dict[str, Any] | None:
    """
    Return the content.

    None when the file is missing, broken, older than `stale`, or of another version.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        age = now - datetime.fromisoformat(content["time"])
        is_ours = content["version"] == VERSION
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content if is_ours and (stale is None or age <= stale) else None
