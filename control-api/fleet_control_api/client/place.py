"""
Which control API a command speaks to, and as whom.

The address is FLEET_API_URL, else that of the home, else, unless FLEET_HOME names one that is not
there, where this user logged in last. Who calls is the token of FLEET_API_TOKEN_FILE, else this
user's login there, else the home's own token, which goes to the home's control API alone.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fleet_control_api.client.bearers import SessionBearer
from fleet_control_api.client.remote import TIMEOUT, Remote, Token
from fleet_control_api.client.sessions import SessionFolder, locate_sessions
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_control_api.client.remote import Bearer

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Place:
    """What the launcher knows of the home, and the settings of the person who calls."""

    environ: Mapping[str, str]
    url: str = ""  # of the home's control API
    token: str = ""  # the home's own
    ca_file: str = ""  # how to trust the home's control API, and which name to expect of it
    server_name: str = ""
    missing: str = ""  # why there is no home, or no token in it

    @property
    def sessions(self) -> SessionFolder:
        """The logins of this user."""
        return locate_sessions(self.environ)

    def find_url(self) -> str:
        """Return the address of the control API. Raises ClientError when nobody names one."""
        given = self.environ.get("FLEET_API_URL", "")
        url = parse_url(given) if given else self.url
        if not url and not self.environ.get("FLEET_HOME"):
            url = self.sessions.load_last_url()
        if not url:
            raise self._explain()
        return url

    def find_caller(self, remote: Remote) -> tuple[str, Bearer]:
        """Return as whom to call there: the way (token, session or home), and what to show."""
        file = self.environ.get("FLEET_API_TOKEN_FILE", "")
        if file:
            return "token", Token(read_token(Path(file)))
        if self.sessions.load(remote.url) is not None:
            return "session", SessionBearer(self.sessions, remote)
        if remote.url != self.url:
            raise ClientError(
                f"nobody is logged in at {remote.url}",
                remedy=f"`./fleet login {remote.url}` does.",
            )
        if not self.token:
            raise self._explain()
        return "home", Token(self.token)

    def connect(self, timeout: tuple[float, float] = TIMEOUT) -> Remote:
        """Return the control API as this command sees it. Raises ClientError."""
        remote = self.reach(self.find_url(), timeout)
        return replace(remote, bearer=self.find_caller(remote)[1])

    def reach(self, url: str, timeout: tuple[float, float] = TIMEOUT) -> Remote:
        """Return a control API to which nothing is shown."""
        session = self.sessions.load(url)
        ca_file = self.environ.get("FLEET_API_CA_FILE", "") or (session.ca_file if session else "")
        if url == self.url:
            return Remote(url, Token(""), timeout, ca_file or self.ca_file, self.server_name)
        return Remote(url, Token(""), timeout, ca_file)

    def _explain(self) -> ClientError:
        remedy = "`./fleet login URL` steers the fleet of another machine."
        return ClientError(self.missing or "no control API is known", remedy=remedy)


def parse_url(text: str) -> str:
    """
    Return the address of a control API with its prefix, from what people write.

    Raises ClientError for what is none, and for plain HTTP to another machine.
    """
    try:
        parts = urlsplit(text.strip())
        is_usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or parts.username or parts.query or parts.fragment:
        raise ClientError(
            f"{text!r} is no address of a control API", remedy="One looks like https://HOST:PORT."
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ClientError(
            f"{parts.hostname} is another machine, and by http everybody on the way reads along",
            remedy="Give the control API a certificate, or reach it through `ssh -L`.",
        )
    path = parts.path.rstrip("/").removesuffix(PREFIX)
    return f"{parts.scheme}://{parts.netloc.lower()}{path}{PREFIX}"


def is_loopback(host: str) -> bool:
    """True for this machine under its own addresses."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: Path) -> str:
    """Return the token in a file. Raises ClientError."""
    try:
        token = path.read_text().strip()
    except (OSError, ValueError) as exc:
        raise ClientError(f"the token file {path} cannot be read ({exc})") from exc
    if not token:
        raise ClientError(f"the token file {path} is empty")
    return token
