"""Find PgBouncer: on PATH, else Debian's package."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.fetch import Cache, debian, decide_cache_root

if TYPE_CHECKING:
    from collections.abc import Mapping

BUNDLE = debian.Bundle(
    "PgBouncer",
    ("pgbouncer",),
    # Libraries that a small system lacks; their names differ between releases.
    ("libc-ares2", "libcares2", "libevent-2.1-7", "libevent-2.1-7t64"),
    needed_bytes=100_000_000,
    prefix="pgbouncer-",
)


@dataclass(frozen=True)
class Pooler:
    """The program, and what its environment must have for it to find its libraries."""

    path: Path
    environment: Mapping[str, str]


def find_pooler(environ: Mapping[str, str], run: debian.Run = debian.run) -> Pooler:
    """Return PgBouncer. Raises DebianError when neither PATH nor Debian has it."""
    installed = shutil.which("pgbouncer", path=environ.get("PATH"))
    if installed:
        return Pooler(Path(installed), {})
    if not debian.is_possible():
        raise debian.DebianError("there is no pgbouncer on PATH; install it and try again")
    folder = debian.fetch(Cache(decide_cache_root(environ, os.geteuid())), BUNDLE, run)
    libraries = sorted({str(path.parent) for path in folder.rglob("*.so.*")})
    return Pooler(folder / "usr/sbin/pgbouncer", {"LD_LIBRARY_PATH": ":".join(libraries)})
