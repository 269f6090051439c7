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
    A connection whose other end is gone without a word is noticed within 15 s: by keep-alives
    while it is silent, by tcp_user_timeout while something sent is not acknowledged.
    """
    return psycopg.connect(
        dsn,
        autocommit=autocommit,
        row_factory=dict_row,
        prepare_threshold=None,
        application_name=application,
        connect_timeout=CONNECT_TIMEOUT,
        keepalives_idle=5,
        keepalives_interval=3,
        keepalives_count=3,
        tcp_user_timeout=14_000,
    )
