"""
The secrets of a home.

Made once, one 0600 file each, owned by the user that the servers run as, in a folder of whoever
calls `up` that nobody else can list or change.
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
        """
        Make the folder. Another owner may open what it knows the name of, and change nothing.
        """
        if self.owner is None or self.owner.uid == os.geteuid():
            make_folder(self.folder, mode=0o700)
        else:
            make_folder(self.folder, mode=0o710, owner=replace(self.owner, uid=os.geteuid()))

    def has(self, name: str) -> bool:
        """True when the secret was made before."""
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
        """Return a secret, made now when there is none."""
        if not self.has(name):
            self.put(name, secrets.token_urlsafe(SECRET_BYTES))
        return self.read(name)

    def remove(self, name: str) -> None:
        """Forget a value, if there is one."""
        self.path(name).unlink(missing_ok=True)

    def stamp(self, name: str) -> str:
        """Return what changes whenever the value does, and tells nothing of it."""
        return str(self.path(name).stat().st_mtime_ns)

    def put(self, name: str, value: str) -> None:
        """Keep a value that was decided elsewhere."""
        if not self.folder.is_dir():
            self.make()
        if not self.has(name) or self.read(name) != value.strip():
            store_text(self.path(name), value + "\n", mode=0o600, owner=self.owner)
