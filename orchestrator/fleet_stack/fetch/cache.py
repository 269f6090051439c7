"""
The cache that all homes share: third-party programs and model files.

Readable by everyone, since servers run as another user; a file appears in it only when complete.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.home import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SYSTEM_CACHE = Path("/var/cache/fleet")
MEGABYTE = 1_000_000


class CacheError(StackError):
    """The cache of programs and models cannot be used."""


def decide_cache_root(environ: Mapping[str, str], user_id: int) -> Path:
    """Return the system's place for root, else the user's own."""
    if user_id == 0:
        return SYSTEM_CACHE
    chosen = environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(chosen):  # noqa: PTH117 - the standard says to ignore a relative one
        return Path(chosen) / "fleet"
    return Path(environ.get("HOME") or Path.home()) / ".cache" / "fleet"


def free_bytes(path: Path) -> int:
    """Return how many bytes an unprivileged user can still write there."""
    return shutil.disk_usage(path).free


@dataclass(frozen=True)
class Cache:
    """A folder on disk; `free` returns the bytes that can still be written there."""

    root: Path
    free: Callable[[Path], int] = free_bytes

    def path(self, name: str) -> Path:
        """Return a place in the cache."""
        return self.root / name

    @property
    def _other_place(self) -> str:
        if self.root == SYSTEM_CACHE:
            return f"make {self.root} a link to a folder on another disk"
        return "set XDG_CACHE_HOME to a folder on another disk"

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Let one process at a time make `name`. Raises CacheError where we cannot write."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not os.access(self.root, os.W_OK):
                raise PermissionError(13, "Permission denied")
            if self.root.stat().st_uid == os.geteuid():
                self.root.chmod(0o755)
            descriptor = os.open(self.path(f".{name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as exc:
            raise CacheError(
                f"the cache {self.root} cannot be written ({exc.strerror}); "
                f"make it writable, or {self._other_place}"
            ) from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def need(self, size_bytes: int, what: str) -> None:
        """Raise CacheError when there is no room for `what`."""
        free = self.free(self.root)
        if free < size_bytes:
            raise CacheError(
                f"no disk space for {what}: {self.root} has {free // MEGABYTE} MB free and "
                f"{size_bytes // MEGABYTE} MB are needed; "
                f"free some, or {self._other_place}"
            )

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """Yield an empty folder beside `name`, removed afterwards; needs the lock of `name`."""
        folder = self.path(f".{name}.new")
        shutil.rmtree(folder, ignore_errors=True)  # a killed run may have left one
        folder.mkdir(mode=0o755)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def install(self, made: Path, name: str) -> Path:
        """Move a complete file or folder to its name, readable by everyone."""
        target = self.path(name)
        made.chmod(0o755 if made.is_dir() else 0o644)
        if target.is_dir():
            shutil.rmtree(target)
        made.rename(target)
        return target
