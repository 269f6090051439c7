"""Read on in a log file that grows and is rotated."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROTATED = 3  # files kept beside the log: NAME.1 is the youngest
READ_BYTES = 65536  # about 500 lines; a long absence is caught up in several rounds


@dataclass(frozen=True)
class Position:
    """The end of what has been read: a file, however it is called by now, and bytes of it."""

    inode: int = 0
    offset: int = 0


def read_lines(log: Path, position: Position) -> tuple[list[str], Position]:
    """
    Return the next whole lines, and the position after them.

    From the beginning of the log where the file of the position is gone. Raises OSError.
    """
    older = [log.with_name(f"{log.name}.{number}") for number in range(ROTATED, 0, -1)]
    files = {path.stat().st_ino: path for path in (*older, log) if path.exists()}
    inodes = list(files)
    if not inodes:
        return [], position
    if position.inode not in files:
        position = Position(inodes[-1])
    with files[position.inode].open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_ino != position.inode:
            return [], position  # rotated since we looked; the next round finds it
        offset = position.offset if position.offset <= status.st_size else 0
        file.seek(offset)
        data = file.read(READ_BYTES)
    whole = data[: data.rfind(b"\n") + 1]
    newer = inodes[inodes.index(position.inode) + 1 :]
    if not whole and newer:
        return read_lines(log, Position(newer[0]))
    lines = whole.decode(errors="replace").splitlines()
    return lines, Position(position.inode, offset + len(whole))
