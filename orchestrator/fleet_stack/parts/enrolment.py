"""
Write what the launcher manages into the database: schema, logins, this node, tokens, first users.

All of it runs at each `up`, and changes nothing the second time.
"""

from __future__ import annotations

import hashlib
import importlib
import platform
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from fleet_timescale import storage
from fleet_timescale.connection import Connection, connect
from fleet_timescale.engine import describe_engine
from fleet_timescale.errors import DatabaseError
from fleet_timescale.migrate import migrate
from psycopg import sql

from fleet_stack.home import USERS, store_text
from fleet_stack.parts.postgres import first_line, replace_login

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fleet_timescale.storage import Sizes

    from fleet_stack.home import Secrets

ROLES = ("control", "master", "grafana", "analyst", "sms")
CATALOGUE = "fleet_orchestrator.generation.catalogue"
# name of the token in the database, its scope, the secret of the home that holds it
TOKENS = (
    ("admin-cli", "admin", "admin_token"),
    ("prometheus-sd", "sd", "sd_token"),
    ("prometheus-metrics", "metrics", "metrics_token"),
    ("alertmanager-webhook", "webhook", "webhook_token"),
)
NODE_ROLES = ["generate", "quality"]
# What a twin is made of; loaded only where there is one.
KINDS = "fleet_twin.machine.kinds"
TWIN = "twin"  # stands for the name of the node that such a home does not have


def migrate_database(url: str) -> list[str]:
    """Apply schema, functions, settings, scenarios and prompts; return what changed."""
    with readable_errors(), connect(url, "fleet migrate") as connection:
        applied = migrate(connection)
        importlib.import_module(CATALOGUE).load(connection)
    return applied


def read_engine(url: str) -> str:
    """Return what stores the readings, for people."""
    with readable_errors(), connect(url, "fleet migrate") as connection:
        return describe_engine(connection)


def read_sizes(url: str) -> Sizes:
    """Return what the levels of readings take on disk."""
    with readable_errors(), connect(url, "fleet db") as connection:
        return storage.read_sizes(connection)


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn errors of psycopg into a DatabaseError of one sentence."""
    try:
        yield
    except psycopg.OperationalError as exc:
        raise DatabaseError(
            f"the database cannot be reached: {first_line(exc)}; "
            "put that right and run the same command again"
        ) from exc
    except psycopg.Error as exc:
        raise DatabaseError(
            f"the database refused: {first_line(exc)}; put that right there, "
            "and run the same command again"
        ) from exc


def load_node_id(path: Path) -> uuid.UUID:
    """Return the id of this machine, created once and stored in a file."""
    if not path.exists():
        store_text(path, f"{uuid.uuid4()}\n")
    return uuid.UUID(path.read_text().strip())


def settle(
    url: str, secrets: Secrets, node_id: uuid.UUID, scrape_address: str, twin_nodes: int = 0
) -> str:
    """
    Set passwords, tokens and users in the database to what the home's secrets say.

    Return the node's name; TWIN where this machine is none, but the host of a twin.
    """
    with readable_errors(), connect(url, "fleet up") as connection, connection.transaction():
        for role in ROLES:
            _set_password(connection, f"fleet_{role}", secrets.ensure(f"{role}_password"))
        if twin_nodes:
            node = _enrol_twin(connection, secrets, node_id, scrape_address, twin_nodes)
        else:
            host = platform.node() or "node"
            node = _enrol(connection, secrets, node_id, host, scrape_address)
        for name, scope, secret in TOKENS:
            digest = hashlib.sha256(secrets.ensure(secret).encode()).digest()
            connection.execute(
                "SELECT control.put_token(%s, %s, %s, 'fleet up', NULL)", [name, digest, scope]
            )
        _put_scrape_token(connection, secrets.scrape)
        _add_users(connection, secrets)
    for role in ROLES:
        secrets.put(
            f"{role}.dsn", replace_login(url, f"fleet_{role}", secrets.read(f"{role}_password"))
        )
    secrets.put("node.dsn", replace_login(url, f"fleet_node_{node}", secrets.read("node_password")))
    return node


def refuse_foreign_roles(url: str, secrets: Secrets) -> None:
    """
    Raise DatabaseError when another home has set the logins of our roles on that server.

    Roles belong to the whole server: new passwords would lock out that home's programs.
    """
    unmade = [f"fleet_{role}" for role in ROLES if not secrets.has(f"{role}_password")]
    with readable_errors(), connect(url, "fleet up") as connection:
        rows = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname = ANY(%s) ORDER BY rolname",
            [unmade],
        ).fetchall()
    found = [str(row["rolname"]) for row in rows]
    if found:
        raise DatabaseError(
            f"the server of FLEET_EXTERNAL_DATABASE_URL has logins of another home already "
            f"({', '.join(found)}); use a server of its own for each home, or, when that home is "
            f"gone, run there for each of them: ALTER ROLE {found[0]} NOLOGIN"
        )


def find_foreign_people(url: str, secrets: Secrets) -> list[str]:
    """Return the first users that exist in the database without a password in this home."""
    with readable_errors(), connect(url, "fleet up") as connection:
        rows = connection.execute("SELECT login FROM control.users").fetchall()
    known = {str(row["login"]) for row in rows}
    return [
        login for login in USERS if login in known and not secrets.has(f"user_{login}_password")
    ]


def _verifier(connection: Connection, login: str, password: str) -> str:
    """Return the SCRAM verifier of a password: the clear text never leaves this process."""
    verifier = connection.pgconn.encrypt_password(
        password.encode(), login.encode(), b"scram-sha-256"
    )
    return verifier.decode()


def _set_password(connection: Connection, login: str, password: str) -> None:
    statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
    connection.execute(
        statement.format(sql.Identifier(login), sql.Literal(_verifier(connection, login, password)))
    )


def _enrol_twin(
    connection: Connection, secrets: Secrets, host_id: uuid.UUID, address: str, count: int
) -> str:
    """Enrol the simulated nodes, each below a path of one address; take out those beyond."""
    places = importlib.import_module(KINDS).list_places(count)
    for place in places:
        node_id, page = uuid.uuid5(host_id, place.node), f"{address}/{place.node}/metrics"
        _enrol(connection, secrets, node_id, place.node, page)
    names = [place.node for place in places]
    connection.execute(
        "SELECT fleet.remove_node(n.node) FROM fleet.nodes n "
        "WHERE n.removed_at IS NULL AND n.node <> ALL(%s)",
        [names],
    )
    return TWIN


def _enrol(
    connection: Connection, secrets: Secrets, node_id: uuid.UUID, host: str, scrape_address: str
) -> str:
    password = secrets.ensure("node_password")
    row = connection.execute(
        "SELECT fleet.enroll_node(%s, %s, %s, %s, %s) AS node",
        [
            node_id,
            host,
            NODE_ROLES,
            scrape_address,
            _verifier(connection, "node", password),
        ],
    ).fetchone()
    if row is None:
        raise DatabaseError("fleet.enroll_node returned nothing; run `./fleet migrate`")
    return str(row["node"])


def _put_scrape_token(connection: Connection, scrape: Secrets) -> None:
    """Announce the tokens of scrapes, this one and the next, to all exporters."""
    hashes = [hashlib.sha256(scrape.ensure(name).encode()).digest() for name in ("token", "next")]
    connection.execute("SELECT fleet.put_scrape_token(%s, %s)", hashes)


def _add_users(connection: Connection, secrets: Secrets) -> None:
    """Create the first users; existing ones keep password and role, which may have been changed."""
    known = {row["login"] for row in connection.execute("SELECT login FROM control.users")}
    missing = [login for login in USERS if login not in known]
    if not missing:
        return
    # The API's own way to hash: another cost would answer known and unknown logins unlike fast.
    hash_password = importlib.import_module("fleet_control_api.callers.passwords").hash_password
    for login in missing:
        hashed = hash_password(secrets.ensure(f"user_{login}_password"))
        connection.execute(
            "SELECT control.put_user(%s, %s, %s::control.role)", [login, hashed, login]
        )
