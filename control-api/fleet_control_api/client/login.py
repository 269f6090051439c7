"""`fleet login|logout|whoami`: steer a fleet as oneself, from any machine."""

from __future__ import annotations

import ssl
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet_control_api.client.bearers import SessionBearer, take_tokens
from fleet_control_api.client.passwords import read_password
from fleet_control_api.client.place import parse_url
from fleet_control_api.client.sessions import Session
from fleet_control_api.client.tables import render_fields
from fleet_control_api.client.verbs import add
from fleet_control_api.service.errors import ClientError, LoggedOutError

if TYPE_CHECKING:
    import argparse

    from fleet_control_api.client.place import Place
    from fleet_control_api.client.verbs import Answer


def log_in(place: Place, arguments: argparse.Namespace) -> Answer:
    """Begin a session and keep it; the one of before ends."""
    url = find_url(place, arguments)
    remote = place.reach(url)
    if arguments.ca_file:
        remote = replace(remote, ca_file=check_authority(arguments.ca_file))
    user = arguments.user or ask_user()
    password = read_password(f"Password of {user} at {url}: ", arguments.password_file)
    answer = remote.call("POST", "/auth/login", body={"login": user, "password": password})
    session = take_tokens(Session(url, user, "", "", 0, remote.ca_file), answer, time.time())
    if place.sessions.load(url) is not None:
        with suppress(ClientError):  # it ends by itself within days
            call_logout(place, url)
    place.sessions.store(session)
    place.sessions.store_last_url(url)
    said = f"You are {session.login} ({answer['role']}) at {url} until `./fleet logout`."
    return {"url": url, "login": session.login, "role": answer["role"]}, said


def log_out(place: Place, arguments: argparse.Namespace) -> Answer:
    """End the session and forget it; it is forgotten also when the API cannot be told."""
    url = find_url(place, arguments)
    session = place.sessions.load(url)
    if session is None:
        last = place.sessions.load_last_url()
        raise ClientError(
            f"nobody is logged in at {url}", remedy=f"`./fleet logout {last}`?" if last else ""
        )
    said = f"{session.login} is logged out at {url}."
    try:
        call_logout(place, url)
    except LoggedOutError:
        said = f"The login of {session.login} at {url} had ended already; it is forgotten."
    except ClientError as exc:
        place.sessions.remove(url)
        raise ClientError(
            f"the login of {session.login} is forgotten here, but not ended there: {exc}",
            remedy="`./fleet sessions end` does that once the control API answers.",
        ) from exc
    place.sessions.remove(url)
    return {"url": url, "login": session.login}, said


def call_logout(place: Place, url: str) -> None:
    """End the session that is kept for an address."""
    remote = place.reach(url)
    replace(remote, bearer=SessionBearer(place.sessions, remote)).call("POST", "/auth/logout")


def show_caller(place: Place, _: argparse.Namespace) -> Answer:
    """Show as whom commands call, in which way, until when, and which control API."""
    remote = place.reach(place.find_url())
    way, bearer = place.find_caller(remote)
    answer = replace(remote, bearer=bearer).call("GET", "/auth/whoami")
    shown = {
        "name": answer["name"],
        "role": answer["role"],
        "way": way,
        "expires_at": answer["expires_at"],
        "url": remote.url,
    }
    return shown, render_fields(shown)


def find_url(place: Place, arguments: argparse.Namespace) -> str:
    """Return the address that was given, or that of other commands."""
    return parse_url(arguments.url) if arguments.url else place.find_url()


def check_authority(path: Path) -> str:
    """Return the whole path of a file with certificates. Raises ClientError for another file."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as exc:
        raise ClientError(f"{path} has no certificate in PEM format ({exc})") from exc
    return str(path.resolve())


def ask_user() -> str:
    """Return the login name that a person types."""
    if not sys.stdin.isatty():
        raise ClientError("there is nobody to ask for a login name", remedy="Give --user NAME.")
    sys.stderr.write("Login: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def add_login(nouns: Any) -> None:
    """Add the three commands to the command line."""
    summary = "log in to a control API; later commands are yours"
    login = add(nouns, "login", log_in, summary, route="POST /auth/login")
    login.add_argument("url", metavar="URL", nargs="?", help="https://HOST:PORT; else the home's")
    login.add_argument("--user", metavar="NAME", help="your login name")
    login.add_argument(
        "--password-file", type=Path, metavar="FILE",
        help="the password; else it is typed, or read from standard input",
    )  # fmt: skip
    login.add_argument(
        "--ca-file", type=Path, metavar="FILE",
        help="certificates to trust for this address, in PEM format",
    )  # fmt: skip
    logout = add(nouns, "logout", log_out, "end a login", route="POST /auth/logout")
    logout.add_argument("url", metavar="URL", nargs="?", help="where; else the home's")
    whoami = add(
        nouns, "whoami", show_caller, "say as whom commands call", route="GET /auth/whoami"
    )
    for command in (login, logout, whoami):
        command.set_defaults(is_of_place=True)
