"""
The token with which Prometheus scrapes all nodes, renewed when a node that knows it has left.

Two files: Prometheus reads `token` anew for each scrape, and `next` follows it. Exporters have
known the next one since the last change, so that they accept it at once and no scrape fails.
"""

from __future__ import annotations

import secrets
import time
from threading import Lock
from typing import TYPE_CHECKING

from fleet_control_api.callers.identity import digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleet_control_api.service.database import Database

LOOK_SECONDS = 5.0  # between two looks whether a change is due
SECRET_BYTES = 24


class ScrapeToken:
    """Reads and renews the token; its folder is made by the launcher."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._look_at = clock()
        self._lock = Lock()

    def read(self, name: str = "token") -> str:
        """Return the token that Prometheus shows now, or the `next` one."""
        return (self._folder / name).read_text().strip()

    def look(self, database: Database) -> None:
        """Renew the token when that is due; asks the database now and then."""
        if self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_SECONDS
            self.renew(database)

    def renew(self, database: Database) -> None:
        """Make the next token the current one, if a node that knows this one has left."""
        with self._lock, database.transaction() as connection:
            row = connection.execute("SELECT fleet.is_scrape_token_due() AS is_due").fetchone()
            if row is None or not row["is_due"]:
                return
            token, following = self.read("next"), secrets.token_urlsafe(SECRET_BYTES)
            connection.execute(
                "SELECT fleet.put_scrape_token(%s, %s)", [digest(token), digest(following)]
            )
            # Before the commit: on a full disk nothing changes, and it is tried again.
            self._write("token", token)
            self._write("next", following)

    def _write(self, name: str, token: str) -> None:
        """Replace a file at once, so that Prometheus never reads half of it."""
        draft = self._folder / f".{name}.new"
        draft.touch(mode=0o600)
        draft.write_text(f"{token}\n")
        draft.replace(self._folder / name)
