"""Addresses and settings of the embedded server."""

from __future__ import annotations

import psycopg
import pytest
from fleet_stack.home.errors import HomeError, StackError
from fleet_stack.parts import postgres


def test_settings_keep_the_server_on_loopback():
    """No socket folder, no other interface, and passwords only as SCRAM."""
    text = postgres.render_settings(20000)

    assert "listen_addresses = '127.0.0.1'" in text
    assert "port = 20000" in text
    assert "unix_socket_directories = ''" in text
    assert "password_encryption = 'scram-sha-256'" in text


@pytest.mark.parametrize("password", ["plain", "p@ss:w/rd?", "100%"])
def test_address_carries_any_password(password):
    """libpq reads back what was put in."""
    url = postgres.render_url("fleet_owner", password, 20000)

    assert password == psycopg.conninfo.conninfo_to_dict(url)["password"]


def test_login_is_replaced_and_nothing_else():
    """An external server keeps its host, port, database and options."""
    url = postgres.replace_login(
        "postgresql://a:b@db.lan:5433/x?sslmode=require", "fleet_grafana", "p@"
    )

    assert url == "postgresql://fleet_grafana:p%40@db.lan:5433/x?sslmode=require"


def test_database_is_made_once(database):
    """A server that answers gets the database; a second wait finds it."""
    url = database.dsn()
    postgres.wait_until_ready(url, lambda: "", database="made_by_test")
    postgres.wait_until_ready(url, lambda: "", database="made_by_test")
    with database.connect() as owner:
        found = owner.execute("SELECT FROM pg_database WHERE datname = 'made_by_test'").rowcount
        owner.execute("DROP DATABASE made_by_test")

    assert found == 1


def test_link_in_the_place_of_the_servers_settings_is_not_followed(tmp_path):
    """The server's user may write there; whoever calls `up` may be root."""
    victim = tmp_path / "victim"
    victim.write_text("dear")
    (tmp_path / "postgresql.conf").symlink_to(victim)

    with pytest.raises(HomeError, match="cannot be written"):
        postgres.append_include(tmp_path / "postgresql.conf")
    assert victim.read_text() == "dear"


def test_server_that_does_not_come_up_is_explained():
    """The end of its log is part of the message."""
    url = "postgresql://a:b@127.0.0.1:1/fleet"

    with pytest.raises(StackError, match=r"(?s)does not answer.*FATAL: no room"):
        postgres.wait_until_ready(url, lambda: "    FATAL: no room", seconds=0)
