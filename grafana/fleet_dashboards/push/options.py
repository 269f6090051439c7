"""The options of `fleet grafana`: which Grafana, as whom, and how it reaches its sources."""

from __future__ import annotations

import argparse
import getpass
import ipaddress
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fleet_dashboards.push.server import GrafanaError

if TYPE_CHECKING:
    from fleet_dashboards.push.server import Credential
    from fleet_dashboards.push.wanted import Addresses


def choose_addresses(addresses: Addresses, arguments: argparse.Namespace) -> Addresses:
    """Return where Grafana reaches the sources: as it was told, else as this machine does."""
    given = {
        "prometheus_url": arguments.prometheus_url,
        "database": arguments.database,
        "control_url": arguments.control_url,
    }
    return replace(addresses, **{name: value.rstrip("/") for name, value in given.items() if value})


def require_reachable(url: str, addresses: Addresses) -> None:
    """Raise GrafanaError when Grafana is elsewhere and a source is at this machine's loopback."""
    if is_loopback(urlsplit(url).hostname):
        return
    for option, place in (
        ("--prometheus-url", addresses.prometheus_url),
        ("--database", f"//{addresses.database}"),
        ("--control-url", addresses.control_url),
    ):
        if is_loopback(urlsplit(place).hostname):
            raise GrafanaError(
                f"{place.removeprefix('//')} is this machine alone, where {url} does not reach it; "
                f"{option} says how it does"
            )


def is_loopback(host: str | None) -> bool:
    """True for this machine under its own addresses."""
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def choose_credential(arguments: argparse.Namespace, of_home: tuple[str, str] | None) -> Credential:
    """Return token, or login and password. Raises GrafanaError when there are none."""
    if arguments.token_file:
        return read_secret(arguments.token_file)
    if arguments.user:
        return arguments.user, read_password(arguments.user, arguments.password_file)
    if of_home is None:
        raise GrafanaError("a login is needed: give --token-file FILE, or --user NAME")
    return of_home


def read_password(user: str, file: Path | None) -> str:
    """Return a password from its file, as a person types it, or from standard input."""
    if file is not None:
        return read_secret(file)
    if sys.stdin.isatty():
        return getpass.getpass(f"Password of {user}: ")
    return sys.stdin.readline().rstrip("\n")


def read_secret(path: Path) -> str:
    """Return the first line of a file. Raises GrafanaError."""
    try:
        secret = path.read_text().partition("\n")[0].strip()
    except (OSError, ValueError) as exc:
        raise GrafanaError(f"{path} cannot be read ({exc})") from exc
    if not secret:
        raise GrafanaError(f"{path} is empty; write the secret into its first line")
    return secret


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of both verbs."""
    parser = argparse.ArgumentParser(
        prog="fleet grafana", description="Data sources and dashboards in a Grafana of your own."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    check = verbs.add_parser("check", help="show what differs; exit code 1 when something does")
    check.add_argument("--json", action="store_true", help="for programs")
    change = verbs.add_parser("push", help="show what differs, and write it")
    change.add_argument("--yes", action="store_true", help="overwrite what was edited there")
    for verb in (check, change):
        _add_options(verb)
    return parser


def _add_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--url", metavar="URL", help="of Grafana; else the home's")
    verb.add_argument(
        "--token-file", type=Path, metavar="FILE", help="token of a service account, role Admin"
    )
    verb.add_argument("--user", metavar="NAME", help="a login with the role Admin")
    verb.add_argument(
        "--password-file", type=Path, metavar="FILE",
        help="its password; else typed, or read from standard input",
    )  # fmt: skip
    verb.add_argument("--ca-file", metavar="FILE", help="certificates to trust, in PEM format")
    verb.add_argument(
        "--prometheus-url", metavar="URL", help="how Grafana reaches Prometheus; else as we do"
    )
    verb.add_argument("--database", metavar="HOST:PORT", help="likewise the database")
    verb.add_argument("--control-url", metavar="URL", help="likewise the control API, .../api/v1")
