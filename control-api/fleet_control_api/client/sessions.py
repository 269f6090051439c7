"""
Logins of this user: a file for each control API, which nobody else can read.

Files lie in XDG_CONFIG_HOME/fleet/sessions (else ~/.config). One that others can read is refused,
not repaired: they may have read it already.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
LAST = "last_url"  # where this user logged in last: for commands without a home
LOOK_SECONDS = 0.05  # between two looks whether a lock is free


@dataclass(frozen=True)
class Session:
    """A login at one control API. Its refresh token is good once."""

    url: str
    login: str
    access_token: str
    refresh_token: str
    access_until: float  # by this machine's clock, seconds since 1970
    ca_file: str = ""  # the authority that is trusted for this address; empty: those of Python


@dataclass(frozen=True)
class SessionFolder:
    """The files of one user; creating the object reads and writes nothing."""

    root: Path

    def load(self, url: str) -> Session | None:
        """Return the login at an address. Raises ClientError for a file that cannot be trusted."""
        path = self._path(url)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise ClientError(f"{path} cannot be read ({exc.strerror})") from exc
        with os.fdopen(descriptor) as file:
            require_private(path, os.fstat(file.fileno()))
            try:
                values = json.loads(file.read())
                return Session(**values)
            except (ValueError, TypeError) as exc:
                raise ClientError(
                    f"{path} is damaged", remedy="Remove it, then `./fleet login` again."
                ) from exc

    def store(self, session: Session) -> None:
        """Write a login: whole, and private from the start."""
        self._write(self._path(session.url), json.dumps(asdict(session)))

    def remove(self, url: str) -> None:
        """Forget the login at an address."""
        self._path(url).unlink(missing_ok=True)
        if self.load_last_url() == url:
            (self.root / LAST).unlink(missing_ok=True)

    def store_last_url(self, url: str) -> None:
        """Remember where this user logged in last."""
        self._write(self.root / LAST, url)

    def load_last_url(self) -> str:
        """Return where this user logged in last; empty when nowhere."""
        try:
            return (self.root / LAST).read_text().strip()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as exc:
            raise ClientError(f"{self.root / LAST} cannot be read ({exc})") from exc

    @contextmanager
    def lock(self, url: str, seconds: float) -> Iterator[None]:
        """
        Hold the login at an address: of two commands that renew it, the second waits.

        Raises ClientError when it is not free within so many seconds.
        """
        self._make()
        path = self._path(url).with_suffix(".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            end = time.monotonic() + seconds
            while not take(descriptor):
                if time.monotonic() > end:
                    raise ClientError(
                        f"another command has been renewing the login at {url} for {seconds:.0f} s",
                        remedy="Try again once it has ended.",
                    )
                time.sleep(LOOK_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def _path(self, url: str) -> Path:
        """Return the file of an address: people see which it is, the sum tells it from others."""
        place = re.sub(r"[^A-Za-z0-9.-]+", "_", url.partition("://")[2].removesuffix("/api/v1"))
        return self.root / f"{place[:80]}-{hashlib.sha256(url.encode()).hexdigest()[:12]}.json"

    def _make(self) -> None:
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.root.stat()
        except OSError as exc:
            raise ClientError(
                f"the folder {self.root} cannot be made ({exc.strerror})",
                remedy="XDG_CONFIG_HOME names another place for it.",
            ) from exc
        if found.st_mode & OTHERS_WRITE or found.st_uid != os.geteuid():
            raise ClientError(
                f"other users can write into {self.root}, where logins are kept",
                remedy=f"`chmod 700 {self.root}` and make it yours.",
            )

    def _write(self, path: Path, text: str) -> None:
        self._make()
        scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        except OSError as exc:
            scratch.unlink(missing_ok=True)
            raise ClientError(f"{path} cannot be written ({exc.strerror})") from exc


def locate_sessions(environ: Mapping[str, str]) -> SessionFolder:
    """Return the folder of this user's logins."""
    config = environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    root = Path(config) if config.startswith("/") else Path(environ.get("HOME") or "/") / ".config"
    return SessionFolder(root / "fleet" / "sessions")


def require_private(path: Path, found: Any) -> None:
    """Raise ClientError unless a file belongs to this user and nobody else can read it."""
    if found.st_uid != os.geteuid():
        raise ClientError(
            f"{path} belongs to another user", remedy="Remove it, then `./fleet login` again."
        )
    if found.st_mode & OTHERS:
        raise ClientError(
            f"other users can read {path} (mode {stat.S_IMODE(found.st_mode):04o}), "
            "so the login in it may be known to them",
            remedy=f"End it: `chmod 600 {path}`, `./fleet logout`, then `./fleet login`.",
        )


def take(descriptor: int) -> bool:
    """Lock an open file if it is free; return whether it was."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
