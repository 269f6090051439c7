"""Read values that the kernel shows as small files; what is not there is None, never 0."""

from __future__ import annotations

import errno
from pathlib import Path

from fleet_exporters.errors import SensorError

SYS = Path("/sys")
MILLI, MICRO = 1e-3, 1e-6  # what the kernel counts in: thousandths and millionths of a unit

# How drivers say that a value does not exist, is not there now, or is not for us.
ABSENT = (
    errno.ENOENT, errno.ENOTDIR, errno.ENODATA, errno.EOPNOTSUPP, errno.EINVAL,
    errno.EACCES, errno.EPERM, errno.EBUSY, errno.EAGAIN, errno.ENXIO,
)  # fmt: skip


def read_text(path: Path) -> str | None:
    """Return the text; None where there is none. Raises SensorError if the device fails."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as exc:
        if exc.errno in ABSENT:
            return None
        raise SensorError(f"{path} cannot be read: {exc.strerror}; the device may be gone") from exc


def read_word(path: Path) -> str:
    """Return a name; empty where there is none or it fails: what bears it is read all the same."""
    try:
        return read_text(path) or ""
    except SensorError:
        return ""


def read_number(path: Path, scale: float = 1.0) -> float | None:
    """Return the number times `scale`; None where there is none."""
    text = read_text(path)
    try:
        return None if not text else float(text) * scale
    except ValueError:
        return None
