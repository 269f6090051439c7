"""
The secrets of a home: each is created once, in a 0600 file of the user that runs the servers.

Their folder belongs to the user who runs `up`; nobody else can list or change it.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleet_stack.home.errors import HomeError
from fleet_stack.home.files import make_folder, store_text

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_stack.home.account import Account

SCRAPE = "scrape"  # folder of the token that Prometheus shows, and of the one that is next
SECRET_BYTES = 24  # 192 bits, 32 characters
USERS = ("admin", "operator", "viewer")  # the first people; each login is named after its role


@dataclass(frozen=True)
class Secrets:
    """The folder of secrets; file names are the names of the secrets."""

    folder: Path
    owner: Account | None = None

    def path(self, name: str) -> Path:
        """Return the file of a secret, for programs that read it themselves."""
        return self.folder / name

    def make(self) -> None:
        """Make the folder. Another owner can open files by name, but not list or change them."""
        if self.owner is None or self.owner.uid == os.geteuid():
            make_folder(self.folder, mode=0o700)
        else:
            make_folder(self.folder, mode=0o710, owner=replace(self.owner, uid=os.geteuid()))

    @property
    def scrape(self) -> Secrets:
        """The scrape token (`token`) and the next one (`next`), which the control API changes."""
        return Secrets(self.folder / SCRAPE, self.owner)

    def has(self, name: str) -> bool:
        """True when the secret exists."""
        try:
            return self.path(name).exists()
        except OSError as exc:
            raise self._closed(name) from exc

    def read(self, name: str) -> str:
        """Return a secret that must exist."""
        try:
            # Not a link: root must not read for the owner what the owner may not.
            descriptor = os.open(self.path(name), os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor) as file:
                return file.read().strip()
        except FileNotFoundError as exc:
            raise HomeError(
                f"the secret {name} is missing in {self.folder}; run `./fleet up`"
            ) from exc
        except OSError as exc:
            raise self._closed(name) from exc

    def _closed(self, name: str) -> HomeError:
        return HomeError(
            f"the secret {name} in {self.folder} cannot be read; "
            "use the user that started the fleet, or root"
        )

    def ensure(self, name: str) -> str:
        """Return a secret; create it when it does not exist."""
        if not self.has(name):
            self.put(name, secrets.token_urlsafe(SECRET_BYTES))
        return self.read(name)

    def remove(self, name: str) -> None:
        """Delete a secret, if it exists."""
        self.path(name).unlink(missing_ok=True)

    def stamp(self, name: str) -> str:
        """Return a value that changes whenever the secret does, and reveals nothing of it."""
        return str(self.path(name).stat().st_mtime_ns)

    def put(self, name: str, value: str, *, end: str = "\n") -> None:
        """Store a value that was decided elsewhere; some readers take the end of its line too."""
        if not self.folder.is_dir():
            self.make()
        if not self.has(name) or self.read(name) != value.strip():
            store_text(self.path(name), value + end, mode=0o600, owner=self.owner)
