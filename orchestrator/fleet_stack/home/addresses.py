"""Check addresses that are given in variables, and show them without logins."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from fleet_stack.home.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.parse import SplitResult

HTTP, POSTGRES = ("http", "https"), ("postgresql", "postgres")
# Each role gets a login of its own before the host; these in a query would win over it.
LOGIN_OPTIONS = frozenset({"user", "password", "passfile", "service", "sslpassword"})


class AddressError(StackError):
    """A variable holds no address that can be used."""


def split(variable: str, url: str, schemes: Sequence[str] = HTTP) -> SplitResult:
    """Return the pieces of the address in a variable. Raises AddressError when it is none."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port that is no number
        is_address = False
    if not is_address:
        shown = url.rpartition("@")[2].partition("?")[0]  # without a password, wherever it stands
        raise AddressError(
            f"{variable} is {shown!r}, which is no address that starts with {schemes[0]}:// "
            "and names a host; correct it, or unset it"
        )
    return parts


def parse_endpoint(variable: str, value: str) -> str:
    """Return HOST:PORT as it is. Raises AddressError for anything else."""
    host, _, port = value.rpartition(":")
    if not host.strip("[]") or not port.isdecimal() or int(port) > 65535:
        raise AddressError(f"{variable} is {value!r}, not HOST:PORT; correct it, or unset it")
    return value


def hide_login(url: str) -> str:
    """Return an address without user and password, for people and files that all may read."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def show_host(url: str) -> str:
    """Return scheme and host of an address that is a secret as a whole."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/…"


def has_login(url: str) -> bool:
    """True for an address that contains a user or a password."""
    return hide_login(url) != url


def check_database(variable: str, url: str) -> None:
    """Raise AddressError for a database address that would override the login of each role."""
    options = {name for name, _ in parse_qsl(split(variable, url, POSTGRES).query)}
    found = sorted(options & LOGIN_OPTIONS)
    if found:
        raise AddressError(
            f"{variable} holds {' and '.join(found)} behind the question mark; "
            "write the login before the host: postgresql://USER:PASSWORD@HOST/DATABASE"
        )


def parse_public(variable: str, url: str) -> str:
    """Return the public address without a trailing slash."""
    parts = split(variable, url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise AddressError(
            f"{variable} may hold only scheme, host, port and path, "
            "like https://fleet.example.com; correct it"
        )
    return url.rstrip("/")


def parse_llm(variable: str, url: str) -> str:
    """Return the base of the OpenAI-compatible API of a model server; ends in /v1."""
    try:
        split(variable, url)
    except AddressError as exc:
        raise AddressError(f"{exc}; or set it to auto, or to http://127.0.0.1:11434/v1") from exc
    base = url.rstrip("/")
    return base if base.endswith("/v1") else f"{base}/v1"


def parse_place(url: str) -> str:
    """Return host:port of an address; empty for an empty one."""
    return url.partition("://")[2].partition("/")[0]
