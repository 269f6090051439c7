"""
Find PgBouncer: on PATH, else Debian's package, unpacked into the cache and not installed.

By hand: `apt-get download pgbouncer libc-ares2 && dpkg -x pgbouncer_*.deb FOLDER`.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.fetch import debian
from fleet_stack.fetch.cache import Cache, decide_cache_root

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = "pgbouncer"
# Libraries that a small system lacks; their names differ between releases.
LIBRARIES = ("libc-ares2", "libcares2", "libevent-2.1-7", "libevent-2.1-7t64")
NEEDED_BYTES = 100_000_000  # package lists, the packages, and what is in them


@dataclass(frozen=True)
class Pooler:
    """The program, and what its environment must have for it to find its libraries."""

    path: Path
    environment: Mapping[str, str]


def find_pooler(environ: Mapping[str, str], run: debian.Run = debian.run) -> Pooler:
    """Return PgBouncer. Raises DebianError when neither PATH nor Debian has it."""
    installed = shutil.which(PACKAGE, path=environ.get("PATH"))
    if installed:
        return Pooler(Path(installed), {})
    if not debian.is_possible():
        raise debian.DebianError("there is no pgbouncer on PATH; install it and try again")
    folder = fetch(Cache(decide_cache_root(environ, os.geteuid())), run)
    libraries = sorted({str(path.parent) for path in folder.rglob("*.so.*")})
    return Pooler(folder / "usr/sbin" / PACKAGE, {"LD_LIBRARY_PATH": ":".join(libraries)})


def fetch(cache: Cache, run: debian.Run = debian.run) -> Path:
    """Return the folder with the unpacked packages, fetching them when the cache has none."""
    name = f"{PACKAGE}-{debian.folder_name()}"
    with cache.lock(name):
        if cache.path(name).is_dir():
            return cache.path(name)
        cache.need(NEEDED_BYTES, "Debian's package of PgBouncer")
        with cache.scratch(name) as scratch:
            for part in ("lists/partial", "cache/archives/partial", "debs", "unpacked"):
                (scratch / part).mkdir(parents=True)
            _download(scratch, run)
            for package in sorted(scratch.glob("debs/*.deb")):
                run(["dpkg", "-x", str(package), "../unpacked"], scratch / "debs")
            return cache.install(scratch / "unpacked", name)


def _download(scratch: Path, run: debian.Run) -> None:
    folder = scratch / "debs"
    run([*debian.apt("apt-get", scratch), "update"], folder)
    show = [*debian.apt("apt-cache", scratch), "show", "--no-all-versions", PACKAGE, *LIBRARIES]
    known = debian.parse_package_names(run(show, folder))
    if PACKAGE not in known:
        raise debian.DebianError(
            f"this system's package lists have no {PACKAGE}; add a full mirror to apt's sources"
        )
    wanted = [name for name in (PACKAGE, *LIBRARIES) if name in known]
    run([*debian.apt("apt-get", scratch), "download", *wanted], folder)
