"""Come into a fleet: ask its control API for a name and a login, with a code that is good once."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from fleet_stack.home import HomeError

if TYPE_CHECKING:
    import uuid

SECONDS = 30.0
PREFIX = "/api/v1"


@dataclass(frozen=True)
class Entry:
    """What a machine shows: its code, its id, its host name, and where its exporter listens."""

    code: str
    node_id: uuid.UUID
    host: str
    scrape_address: str


@dataclass(frozen=True)
class Joined:
    """What it gets: name, the database's address with a login of its own, the scrape token."""

    node: str
    database_url: str
    scrape_token: str  # empty: Prometheus shows none


def parse_url(url: str) -> str:
    """Return the address of a fleet without path. Raises HomeError for one that cannot be used."""
    parts = urlsplit(url)
    try:
        is_usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or parts.username or parts.query:
        raise HomeError(f"{url!r} is no address of a control API; use one like http://HOST:PORT")
    if not is_here(parts.hostname or ""):
        raise HomeError(
            f"{parts.hostname} is another machine, and nothing would be encrypted on the way; "
            "for now a node joins on the machine of its fleet, by http://127.0.0.1:PORT"
        )
    return f"{parts.scheme}://{parts.netloc}"


def is_here(host: str) -> bool:
    """True for a name or an address of this machine's loopback alone."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(str(each[4][0]).startswith("127.") or each[4][0] == "::1" for each in found)


def render_host(name: str) -> str:
    """Return a host name as the control API takes it."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).strip("._-")[:60] or "node"


def join(url: str, entry: Entry, ca_file: str = "") -> Joined:
    """Join. Raises HomeError with what the control API says, when it does not let us in."""
    body = {
        "code": entry.code,
        "node_id": str(entry.node_id),
        "host": entry.host,
        "scrape_address": entry.scrape_address,
    }
    with requests.Session() as session:
        session.trust_env = False  # the code goes to the fleet and nowhere else
        session.verify = ca_file or True
        try:
            reply = session.post(
                f"{url}{PREFIX}/nodes/join", json=body, timeout=SECONDS, allow_redirects=False
            )
            answer = reply.json()
        except requests.exceptions.SSLError as exc:
            raise HomeError(
                f"the certificate of {url} is not trusted ({exc}); --ca-file names who signed it"
            ) from exc
        except OSError as exc:  # that of requests too; a file of certificates that is none
            raise HomeError(
                f"the control API at {url} does not answer ({type(exc).__name__}); "
                "is the address right, and does the fleet run there?"
            ) from exc
    if not isinstance(answer, dict) or not reply.ok:
        raise HomeError(f"{url} does not let this machine in: {describe(answer)}")
    try:
        token = str(answer["scrape_token"] or "")
        return Joined(str(answer["node"]), str(answer["database_url"]), token)
    except KeyError as exc:
        raise HomeError(f"{url} answers without {exc}; is it a control API of ours?") from exc


def describe(answer: object) -> str:
    """Return an error answer as a sentence, with its remedy."""
    if not isinstance(answer, dict) or "detail" not in answer:
        return "it answers something else than a control API"
    detail, remedy = str(answer["detail"]).rstrip("."), str(answer.get("remedy") or "")
    return f"{detail}. {remedy}".strip()
