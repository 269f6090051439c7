"""One exporter a node: two would overwrite each other's state.json and spool."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fleet_exporters.errors import RunningError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "exporter.lock"


@contextmanager
def hold_lock(directory: Path, node: str) -> Iterator[None]:
    """
    Hold the node; it is free again when this program is gone, however it went.

    Raises RunningError while another exporter of this node runs.
    """
    path = directory / FILE
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(handle)
    except OSError as exc:
        os.close(handle)
        holder = path.read_text(errors="replace").strip()
        raise RunningError(
            f"another exporter of node {node} runs (process {holder or 'unknown'}, it holds "
            f"{path}); stop it first, or give this one another FLEET_NODE and FLEET_RUNTIME_DIR"
        ) from exc
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
