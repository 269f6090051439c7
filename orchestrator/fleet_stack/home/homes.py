"""
The home of one fleet (FLEET_HOME): where it is, and the record of its first start.

home.json is written first, so that an interrupted first `up` can simply be run again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_timescale import __version__

from fleet_stack.home.account import name_user
from fleet_stack.home.errors import HomeError
from fleet_stack.home.files import make_folder, store_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHECKOUT = Path(__file__).resolve().parents[3]
NODE = "node"  # the mode of a home that is a node of a fleet elsewhere
FORMAT = 1  # raised when a home made before cannot be used any more
NEEDED_BYTES = 1_000_000_000  # a first start writes about half of it
# Everything that a home may contain: what `down --purge` removes, in this order, and nothing else.
# home.json is last: until then it is a home, and an interrupted purge can be run again.
ENTRIES = (
    "alertmanager",
    "grafana",
    "logs",
    "mail",
    "node_id",
    "ports.json",
    "pycache",
    "postgres",
    "programs",
    "prometheus",
    "run",
    "secrets",
    "sms",
    "spool",
    "stack.json",
    "supervisor",
    "twin",
    "lock",
    "home.json",
)
# These would need quoting in one of the configuration files that name the home.
REFUSED_CHARACTERS = frozenset("\"'`;#$\\\n\r\t")


@dataclass(frozen=True)
class Record:
    """The content of home.json; fixed at the first start, except for `settings`."""

    format: int = FORMAT
    version: str = __version__
    mode: str = "native"
    externals: tuple[str, ...] = ()
    node: str = ""
    control_url: str = ""  # of the fleet that this home is a node of; its mode is "node"
    postgres_folder: str = ""
    is_started_once: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    twin_nodes: int = 0  # simulated machines; 0: a real fleet


@dataclass(frozen=True)
class Home:
    """A folder on disk; creating the object reads and writes nothing."""

    root: Path

    @property
    def key(self) -> str:
        """Twelve characters that identify this home elsewhere on the machine."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    def path(self, *parts: str) -> Path:
        """Return a place inside the home."""
        return self.root.joinpath(*parts)


def locate(environ: Mapping[str, str], checkout: Path = CHECKOUT) -> Home:
    """Return the home that FLEET_HOME names, else `.fleet` in the checkout."""
    root = Path(os.path.abspath(environ.get("FLEET_HOME") or checkout / ".fleet"))  # noqa: PTH100 - keeps links
    bad = REFUSED_CHARACTERS & set(str(root))
    if bad:
        raise HomeError(f"FLEET_HOME {str(root)!r} contains {min(bad)!r}; choose a plainer path")
    return Home(root)


def parse_record(text: str, root: Path) -> Record:
    """Return the record. Raises HomeError for another format and for a damaged file."""
    try:
        entry = json.loads(text)
        found = int(entry["format"])
    except (ValueError, KeyError, TypeError) as exc:
        raise HomeError(
            f"{root}/home.json is damaged ({exc}); restore it, or use another FLEET_HOME"
        ) from exc
    if found != FORMAT:
        raise HomeError(
            f"the home {root} has format {found} (of version {entry.get('version', '?')}), "
            f"this checkout is version {__version__} and knows format {FORMAT}; use the checkout "
            "that made it, or another FLEET_HOME"
        )
    known = {one.name for one in fields(Record)}
    values = {key: value for key, value in entry.items() if key in known}
    return replace(Record(**values), externals=tuple(entry.get("externals", ())))


def exists(home: Home) -> bool:
    """True when a fleet was started here before. Raises HomeError when permissions hide it."""
    try:
        return home.path("home.json").exists()
    except OSError as exc:
        raise HomeError(
            f"{home.root} cannot be entered ({exc.strerror}); "
            "use another user or another FLEET_HOME"
        ) from exc


def load(home: Home) -> Record:
    """Return the record of a home. Raises HomeError when there is no home yet."""
    try:
        return parse_record(home.path("home.json").read_text(), home.root)
    except FileNotFoundError as exc:
        raise HomeError(f"there is no fleet in {home.root}; `./fleet up` makes one") from exc
    except OSError as exc:
        raise HomeError(
            f"{home.path('home.json')} cannot be read ({exc.strerror}); use the user that made it"
        ) from exc


def store(home: Home, record: Record) -> None:
    """Write the record."""
    store_text(home.path("home.json"), json.dumps(asdict(record), indent=2) + "\n")


def settle_twin(home: Home, record: Record, count: int | None) -> Record:
    """
    Return the record with so many simulated machines; None keeps what it has.

    Raises HomeError for a real fleet: its data never meets that of a twin.
    """
    if count is None or count == record.twin_nodes:
        return record
    if not record.twin_nodes:
        raise HomeError(
            f"{home.root} is the home of a real fleet and cannot become a twin; use another one: "
            f"FLEET_HOME=.fleet-twin ./fleet up --twin {count}"
        )
    changed = replace(record, twin_nodes=count)
    store(home, changed)
    return changed


def create(home: Home, record: Record) -> Record:
    """
    Make a new home, or return the record of the existing one.

    Raises HomeError when the place cannot be written, holds other things, or the disk is too full
    for a first start.
    """
    if exists(home):
        existing = load(home)
        require_owner(home)
        if not os.access(home.root, os.W_OK):
            raise HomeError(
                f"the home {home.root} cannot be written; use the user that made it, "
                "or another FLEET_HOME"
            )
        return existing
    if home.root.is_dir() and any(home.root.iterdir()):
        raise HomeError(
            f"{home.root} is no home of the fleet and not empty; choose a new folder as FLEET_HOME"
        )
    free = shutil.disk_usage(find_existing(home.root)).free
    if free < NEEDED_BYTES:
        raise HomeError(
            f"{home.root} has {free // 1_000_000} MB free and a first start needs "
            f"{NEEDED_BYTES // 1_000_000} MB; free some, or choose another FLEET_HOME"
        )
    make_folder(home.root.resolve())
    store(home, record)
    return record


def require_owner(home: Home) -> None:
    """
    Raise HomeError for a home that another user made.

    Root could write there, but its user could no longer use what root makes.
    """
    made_by, current = home.path("home.json").stat().st_uid, os.geteuid()
    if made_by != current:
        raise HomeError(
            f"the home {home.root} was made by {name_user(made_by)} and you are "
            f"{name_user(current)}; become {name_user(made_by)}, or use another FLEET_HOME"
        )


def find_existing(path: Path) -> Path:
    """Return the path, or the nearest of its parents that is there."""
    return path if path.exists() else find_existing(path.parent)


@contextmanager
def lock(home: Home) -> Iterator[None]:
    """
    Hold the home for one command that changes it.

    Raises HomeError while another command holds it, and when another user made the home.
    """
    require_owner(home)
    descriptor = os.open(home.path("lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise HomeError(
                f"another ./fleet command works on {home.root}; wait until it has ended"
            ) from exc
        yield
    finally:
        os.close(descriptor)


def purge(home: Home) -> list[Path]:
    """Remove the files of a home, and its folder when that leaves it empty; return what is left."""
    for name in ENTRIES:
        path = home.path(name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    rest = list(home.root.iterdir())
    if not rest:
        home.root.rmdir()
    return rest
