"""One program of a kind on a node: a locked file, let go of however the program ends."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from fleet_orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from pathlib import Path


def take_lock(path: Path, program: str) -> int:
    """Return the locked file. Raises OrchestratorError while another such program runs."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(handle)
        raise OrchestratorError(
            f"another {program} of this node holds {path}; a worker ends by itself when its agent "
            "is gone, an agent when it is stopped"
        ) from exc
    return handle
