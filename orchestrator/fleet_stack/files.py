"""
Write files and folders of a home: whole or not at all, with mode and owner from the first byte on.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from fleet_stack.errors import HomeError

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_stack.account import Account


def store_text(path: Path, text: str, *, mode: int = 0o644, owner: Account | None = None) -> None:
    """Replace a file in one step. Raises HomeError when the disk refuses."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
            if owner is not None and os.geteuid() == 0:
                os.fchown(file.fileno(), owner.uid, owner.gid)
        scratch.replace(path)
    except OSError as exc:
        scratch.unlink(missing_ok=True)
        raise HomeError(
            f"{path} cannot be written ({exc.strerror}); free or unlock that place"
        ) from exc


def make_folder(path: Path, *, mode: int = 0o755, owner: Account | None = None) -> Path:
    """Make a folder and missing parents; only the folder itself gets the mode and the owner."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        if owner is not None and os.geteuid() == 0:
            os.chown(path, owner.uid, owner.gid)
    except OSError as exc:
        raise HomeError(
            f"the folder {path} cannot be made ({exc.strerror}); choose another FLEET_HOME"
        ) from exc
    return path


def give(path: Path, owner: Account) -> None:
    """
    Make `owner` the owner of a folder and all in it, when we are root and it is not so already.
    """
    if os.geteuid() != 0 or path.stat().st_uid == owner.uid:
        return
    for entry in (path, *path.rglob("*")):
        os.lchown(entry, owner.uid, owner.gid)
