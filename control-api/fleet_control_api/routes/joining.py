"""Machines that join by themselves: an admin makes a code, the machine shows it once."""

from __future__ import annotations

import ipaddress
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
from flask import Blueprint, request
from psycopg.conninfo import conninfo_to_dict

from fleet_control_api.audit.attempts import record_anonymous, write_done
from fleet_control_api.callers.identity import Identity, Role, digest
from fleet_control_api.changes.commands import Command, Done
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.roles import changes, public
from fleet_control_api.routes.auth import REFUSALS, limit_logins, read_anonymous
from fleet_control_api.service.context import services, source
from fleet_control_api.service.database import translate
from fleet_control_api.service.errors import ConflictError, UnauthenticatedError
from fleet_control_api.values.body import read_arguments
from fleet_control_api.values.nodes import Entry, Joined, NewInvitation, NodeInvitation

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection

blueprint = Blueprint("joining", __name__, url_prefix="/nodes")

JOIN = "nodes.join"
JOIN_ROW = "SELECT node, login, invited_by FROM fleet.join_node(%s, %s, %s, %s, %s)"


def invite_node(
    connection: Connection, who: Identity, wanted: NewInvitation
) -> Done[NodeInvitation]:
    """Make a code; the answer is the only place where it stands."""
    code = secrets.token_urlsafe(24)
    row = connection.execute(
        "SELECT fleet.invite_node(%s, %s, %s) AS expires_at",
        [digest(code), who.actor, timedelta(hours=wanted.hours)],
    ).fetchall()[0]
    answer = NodeInvitation(code=code, expires_at=row["expires_at"])
    return Done(answer, "a new node", f"until {answer.expires_at:%Y-%m-%d %H:%M} UTC")


INVITE = Command(
    "nodes.invite",
    Role.ADMIN,
    "Let one machine join.",
    NewInvitation,
    NodeInvitation,
    invite_node,
    lambda _: "a new node",
    secrets={"code": True},
)


@blueprint.post("/invite")
@changes(INVITE)
def invite() -> NodeInvitation:
    """Let one machine join: the code is in this answer and nowhere else, and good once."""
    return perform(INVITE, lambda: read_arguments(request, NewInvitation))


@blueprint.post("/join")
@public(Joined, body=Entry, errors=(*REFUSALS, ConflictError))
def join() -> Joined:
    """Come into the fleet with the code of an invitation: name, database login, scrape token."""
    limit_logins("")
    entry = read_anonymous(JOIN, Entry)
    check_way(source() or "", services().settings.dsn)
    try:
        return take_in(entry)
    except psycopg.Error as exc:
        record_anonymous(JOIN, str(translate(exc) or "internal error"))
        raise


def take_in(entry: Entry) -> Joined:
    """Enrol a machine. Raises UnauthenticatedError after the attempt was recorded."""
    password = secrets.token_urlsafe(24)
    code = digest(entry.code.get_secret_value())
    with services().database.transaction() as connection:
        verifier = connection.pgconn.encrypt_password(
            password.encode(), b"node", b"scram-sha-256"
        ).decode()
        values = [code, entry.node_id, entry.host, entry.scrape_address, verifier]
        row = connection.execute(JOIN_ROW, values).fetchone()
        if row is not None:
            who = Identity(row["invited_by"], "token", scope="invitation")
            said = f"{entry.host} at {entry.scrape_address}"
            write_done(connection, who, JOIN, f"node {row['node']}", said)
    if row is None:
        error = UnauthenticatedError(
            "the code is unknown, used or expired", remedy="Ask an admin for a new one."
        )
        record_anonymous(JOIN, str(error))
        raise error
    services().metrics.attempts.labels(JOIN, "done").inc()
    url = render_url(services().settings.dsn, row["login"], password)
    scrape = services().scrape
    token = scrape.read() if scrape else None
    return Joined(node=row["node"], database_url=url, scrape_token=token)


def check_way(client: str, dsn: str) -> None:
    """Raise ConflictError for a machine that could not reach the database."""
    if is_loopback(str(conninfo_to_dict(dsn).get("host", ""))) and not is_loopback(client):
        raise ConflictError(
            "the database of this fleet listens on its own machine only",
            remedy="Join from the same machine, or use an external database that both can reach.",
        )


def is_loopback(host: str) -> bool:
    """True for this machine itself: a loopback address, its name, or a socket in a folder."""
    if host in {"", "localhost"} or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def render_url(dsn: str, login: str, password: str) -> str:
    """Return the address of our own database for another login."""
    known = conninfo_to_dict(dsn)
    host = str(known.get("host", "localhost"))
    place = f"[{host}]" if ":" in host else quote(host, safe="")
    mode = known.get("sslmode")
    rest = f"?sslmode={mode}" if mode else ""
    user = f"{quote(login, safe='')}:{quote(password, safe='')}"
    return f"postgresql://{user}@{place}:{known.get('port', 5432)}/{known.get('dbname', '')}{rest}"
