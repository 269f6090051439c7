"""
A zip that is sent while it is written: memory holds one file at a time, and the list of names.
"""

from __future__ import annotations

import zipfile
from io import RawIOBase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Chunks(RawIOBase):
    """
    Takes what the zip writer writes, until it is taken away.

    It cannot seek, so the writer never looks back.
    """

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Keep a piece."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return what was written since the last call."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def make_member(name: str, at: datetime) -> zipfile.ZipInfo:
    """
    Return the head of a compressed member.

    Its time is the conversation's, so that two exports are alike.
    """
    info = zipfile.ZipInfo(
        name, date_time=(at.year, at.month, at.day, at.hour, at.minute, at.second)
    )
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
