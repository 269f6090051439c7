"""Connections to PostgreSQL that a pooler in transaction mode can stand before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.rows import dict_row

Connection = psycopg.Connection[dict[str, Any]]
Connect = Callable[[], Connection]

CONNECT_TIMEOUT = 5  # seconds; a database that does not answer is down


def connect(dsn: str, application: str, *, autocommit: bool = True) -> Connection:
    """
    Return a connection whose rows are dicts and whose times are UTC.

    No named prepared statements: they would not outlive a transaction behind PgBouncer.
    TCP keep-alives notice a half-open connection within about 20 s.
    """
    return psycopg.connect(
        dsn,
        autocommit=autocommit,
        row_factory=dict_row,
        prepare_threshold=None,
        application_name=application,
        connect_timeout=CONNECT_TIMEOUT,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=2,
    )
