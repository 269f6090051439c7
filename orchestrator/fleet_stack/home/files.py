"""Write files and folders of a home: atomically, with mode and owner from the start."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.home.errors import HomeError

if TYPE_CHECKING:
    from fleet_stack.home.account import Account


TAIL_BYTES = 64_000


def store_text(path: Path, text: str, *, mode: int = 0o644, owner: Account | None = None) -> None:
    """Replace a file atomically. Raises HomeError when it cannot be written."""
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
            f"{path} cannot be written ({exc.strerror}); check disk space and permissions"
        ) from exc


def make_folder(path: Path, *, mode: int = 0o755, owner: Account | None = None) -> Path:
    """
    Make a folder with this mode and owner; missing parents are ours, and everyone can enter them.

    Whatever the umask: a server that runs as another user must get through.
    Raises HomeError for a symbolic link in its place: mode and owner would go to its target.
    Parents are not checked for links, so root must own the parents of what it gives away.
    """
    try:
        if not path.parent.exists():
            make_folder(path.parent)
        path.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchmod(descriptor, mode)
            if os.geteuid() == 0:
                uid, gid = (owner.uid, owner.gid) if owner is not None else (0, 0)
                os.fchown(descriptor, uid, gid)
        finally:
            os.close(descriptor)
    except OSError as exc:
        if path.is_symlink():
            raise HomeError(
                f"{path} is a link; put a folder there, or choose another FLEET_HOME"
            ) from exc
        raise HomeError(
            f"the folder {path} cannot be made ({exc.strerror}); choose another FLEET_HOME"
        ) from exc
    return path


def digest_file(path: str) -> str:
    """Return a fingerprint of what is in a file; empty when it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def read_tail(path: Path, lines: int) -> str:
    """Return the last lines of a text file, at most 64 kB of it."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
