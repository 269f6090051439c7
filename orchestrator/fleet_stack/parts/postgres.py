"""Create and configure the embedded PostgreSQL: initdb, settings, the database itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from fleet_timescale.connection import Connection, connect
from psycopg import sql

from fleet_stack.home import HomeError, StackError, make_folder, store_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_stack.home import Account, Placement

OWNER, DATABASE = "fleet_owner", "fleet"
POLL_SECONDS = 0.05
START_SECONDS = 60.0  # crash recovery of a busy desktop's database included
SETTINGS = """\
# Written by `./fleet up`; your own settings belong into postgresql.conf below the include.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 100
shared_buffers = '128MB'
effective_cache_size = '1GB'
work_mem = '8MB'
maintenance_work_mem = '64MB'
max_wal_size = '1GB'
wal_compression = on
checkpoint_timeout = '15min'
jit = off
password_encryption = 'scram-sha-256'
shared_preload_libraries = 'pg_stat_statements'
idle_in_transaction_session_timeout = '10min'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
"""
REFUSED = (
    "refuses the password kept in the home; put back secrets/owner_password of the home, or remove "
    "the database with `./fleet down --purge`"
)
INCLUDE = "include_if_exists = 'fleet.conf'\n"


def render_settings(port: int) -> str:
    """Return fleet.conf: a small server on a desktop that people use meanwhile."""
    return SETTINGS.format(port=port)


def render_url(user: str, password: str, port: int, database: str = DATABASE) -> str:
    """Return the address of the embedded server for a role."""
    return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{port}/{database}"


def replace_login(url: str, user: str, password: str) -> str:
    """Return the same database for another role."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}")
    )


def initialise(placement: Placement, password: str) -> None:
    """
    Run initdb once, as the user that PostgreSQL will run as.

    It works beside the final folder, which therefore is always complete.
    """
    if placement.data.exists():
        return
    scratch = placement.postgres_folder / "data.new"
    shutil.rmtree(scratch, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        file = Path(folder) / "password"
        store_text(file, password + "\n", mode=0o600, owner=placement.postgres)
        if os.geteuid() == 0:
            os.chown(folder, placement.postgres.uid, placement.postgres.gid)
        make_folder(scratch, mode=0o700, owner=placement.postgres)
        _run(
            placement.postgres,
            [
                placement.postgres_bin / "initdb",
                "-D",
                scratch,
                "-U",
                OWNER,
                "-A",
                "scram-sha-256",
                "--pwfile",
                file,
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--data-checksums",
            ],
        )
    append_include(scratch / "postgresql.conf")
    scratch.rename(placement.data)


def append_include(path: Path) -> None:
    """
    Include our settings in postgresql.conf. The server's user owns it: a link is not followed.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    except OSError as exc:
        raise HomeError(
            f"{path} cannot be written ({exc.strerror}); run `./fleet down --purge`, "
            "then `./fleet up` again"
        ) from exc
    with os.fdopen(descriptor, "w") as file:
        file.write("\n" + INCLUDE)


def _run(account: Account, command: list[str | Path]) -> None:
    is_root = os.geteuid() == 0
    try:
        subprocess.run(
            command,
            check=True,
            cwd="/",
            capture_output=True,
            text=True,
            user=account.uid if is_root else None,
            group=account.gid if is_root else None,
            extra_groups=[] if is_root else None,
        )
    except subprocess.CalledProcessError as exc:
        raise HomeError(
            f"initdb failed: {exc.stderr.strip()[-500:]}; free disk space or choose another home"
        ) from exc


def store_settings(placement: Placement, port: int) -> None:
    """Write fleet.conf into the data folder."""
    store_text(
        placement.data / "fleet.conf", render_settings(port), mode=0o600, owner=placement.postgres
    )


def wait_until_ready(
    url: str,
    explain: Callable[[], str],
    *,
    database: str = DATABASE,
    seconds: float = START_SECONDS,
) -> None:
    """
    Return when the server answers; create the database if it is missing.

    Raises StackError with the text of `explain` (the end of the server's log) after `seconds`.
    """
    server = urlunsplit(urlsplit(url)._replace(path="/postgres"))
    deadline = time.monotonic() + seconds
    while True:
        try:
            with connect(server, "fleet up") as connection:
                _make_database(connection, database)
        except psycopg.OperationalError as exc:
            is_refused = "password authentication failed" in str(exc)
            if is_refused or time.monotonic() > deadline:
                reason = REFUSED if is_refused else "does not answer"
                raise StackError(f"PostgreSQL {reason}; its log ends so:\n{explain()}") from exc
        else:
            return
        time.sleep(POLL_SECONDS)


def _make_database(connection: Connection, name: str) -> None:
    found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
    if found is None:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def first_line(exc: psycopg.Error) -> str:
    """Return the first line of what the database said."""
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]
