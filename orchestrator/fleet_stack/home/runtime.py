"""The runtime folder of a home: the supervisor's socket, and one folder per node."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.home.account import load_current
from fleet_stack.home.errors import HomeError
from fleet_stack.home.files import make_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home.account import Account
    from fleet_stack.home.homes import Home

SOCKET = "supervisor.sock"
LINGERING = Path("/var/lib/systemd/linger")  # a file for each user who keeps running without login
# The kernel takes 107 characters, and the supervisor binds a name with its number appended.
SOCKET_LENGTH = 90


def decide_base(home: Home, memory: Path | None, temporary: Path) -> Path:
    """Return where to put it: in memory if possible, else in the home, else under a short name."""
    base = memory / "fleet" / home.key if memory else home.path("run")
    if len(str(base / SOCKET)) <= SOCKET_LENGTH:
        return base
    return temporary / f"fleet-{os.geteuid()}-{home.key}"


def find_memory(
    environ: Mapping[str, str], user: Account, lingering: Path = LINGERING
) -> Path | None:
    """
    Return the memory-backed folder of this user: /run for root, XDG_RUNTIME_DIR for others.

    None without one, and where it vanishes at the last logout: the fleet keeps running.
    """
    place = "/run"
    if user.uid != 0:
        stays = (lingering / user.name).exists()
        place = environ.get("XDG_RUNTIME_DIR", "") if stays else ""
    is_usable = place and os.access(place, os.W_OK | os.X_OK) and Path(place).is_dir()
    return Path(place) if is_usable else None


def prepare(home: Home, environ: Mapping[str, str], kept: Path | None) -> Path:
    """
    Make the folder and return it.

    `kept` is where the last start put it; it stays there while a supervisor runs in it.
    """
    if kept is not None and (kept / SOCKET).exists():
        check(home, kept)
        return make_base(kept)
    return make_base(locate(home, environ))


def locate(home: Home, environ: Mapping[str, str]) -> Path:
    """Return where the folder of this home belongs on this machine."""
    memory = find_memory(environ, load_current())
    return decide_base(home, memory, Path(tempfile.gettempdir()))


def make_base(base: Path) -> Path:
    """Make the folder. Raises HomeError when another user owns what is there."""
    if not _is_ours(base):
        raise HomeError(f"{base} belongs to another user; remove it, or use another FLEET_HOME")
    return make_folder(base)


def _is_ours(base: Path) -> bool:
    """True for a folder of this user, and for a path that does not exist."""
    if not os.path.lexists(base):
        return True
    found = base.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def is_possible(home: Home, base: Path) -> bool:
    """True for a path that `decide_base` may have returned, in whatever environment."""
    if base == home.path("run"):
        return True
    is_in_memory = base.name == home.key and base.parent.name == "fleet"
    is_temporary = base.name == f"fleet-{os.geteuid()}-{home.key}"
    return base.is_absolute() and ".." not in base.parts and (is_in_memory or is_temporary)


def check(home: Home, base: Path) -> None:
    """Raise HomeError for a folder that is not ours: its name was read from a file."""
    if not is_possible(home, base) or not _is_ours(base):
        raise HomeError(
            f"{home.path('stack.json')} names {base}, which is no runtime folder of this home; "
            "remove that file and run the same command again"
        )


def remove(home: Home, base: Path) -> None:
    """Remove the folder, and `fleet` above it when no other home uses it."""
    check(home, base)
    shutil.rmtree(base, ignore_errors=True)
    if base.parent.name == "fleet" and base.parent.is_dir() and not any(base.parent.iterdir()):
        base.parent.rmdir()
