"""A file that another program replaces as a whole: read again only when it has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class ChangedFile:
    """Remembers what was read last; what could not be used is not read a second time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def read(self) -> str | None:
        """Return the text; None while it is that of the last reading. Raises OSError."""
        status = self._path.stat()
        # A replaced file has another inode, even within one clock step of the file system.
        seen = (status.st_mtime_ns, status.st_ino)
        if seen == self._seen:
            return None
        self._seen = seen
        return self._path.read_text(encoding="utf-8")
