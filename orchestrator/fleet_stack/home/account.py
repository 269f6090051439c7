"""Who the servers run as: the invoking user, or the system user `fleet` when that user is root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_stack.home.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SYSTEM_USER = "fleet"
# Exits 0 when its user can read every path given, and enter or run what has such a bit at all;
# asks the kernel, which knows ACLs, unlike mode bits.
ENTRY_TEST = """
import os, sys
def wanted(path):
    is_plain = os.path.isfile(path) and not os.stat(path).st_mode & 0o111
    return os.R_OK if is_plain else os.R_OK | os.X_OK
try:
    sys.exit(not all(os.access(path, wanted(path)) for path in sys.argv[1:]))
except PermissionError:
    sys.exit(1)
"""


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def load_current() -> Account:
    """Return the user that we run as; a uid without a name gets its number."""
    uid = os.geteuid()
    return Account(name_user(uid), uid, os.getegid())


def name_user(uid: int) -> str:
    """Return the name of a user, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def load_system() -> Account:
    """Return the system user `fleet`, made when it is missing. Needs root."""
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _make_system_user()
        entry = pwd.getpwnam(SYSTEM_USER)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _make_system_user() -> None:
    useradd = shutil.which("useradd") or "/usr/sbin/useradd"
    command = [
        useradd,
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
        SYSTEM_USER,
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as exc:
        raise StackError("useradd is missing; install it (Debian: apt-get install passwd)") from exc
    except subprocess.CalledProcessError as exc:
        raise StackError(
            f"the system user {SYSTEM_USER} cannot be made: {exc.stderr.strip()}"
        ) from exc


def can_enter(account: Account, paths: Iterable[Path]) -> bool:
    """
    True when the account can run this Python, and read and enter (or run) all paths.

    Asks the kernel, as that user.
    """
    if account.uid == os.geteuid():
        return True
    try:
        result = subprocess.run(
            [sys.executable, "-I", "-c", ENTRY_TEST, *map(str, paths)],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return result.returncode == 0
