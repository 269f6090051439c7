"""Many nodes over few connections: the database sees each node and nobody else."""

from __future__ import annotations

import threading

import fix_fleet
import psycopg
import pytest
from fleet_twin.fleet.connections import CONNECTIONS_MAX, Link, Pool, make_connect
from fleet_twin.fleet.notices import Notices

fleet, module_database = fix_fleet.fleet, fix_fleet.module_database
WHO = "SELECT session_user AS who, current_user AS acting, pg_backend_pid() AS pid"


@pytest.fixture
def pool(fleet):
    made = Pool(fleet.database.dsn())
    yield made
    made.close()


@pytest.fixture
def link():
    return Link()


@pytest.fixture
def connect(pool, link):
    """How a program of node alpha connects."""
    return make_connect(pool, "alpha", link, Notices())


def test_the_server_sees_the_node(connect):
    """Alone and in a transaction, where all statements go over one connection."""
    with connect() as connection:
        alone = connection.execute(WHO).fetchone()
        with connection.transaction():
            first = connection.execute(WHO).fetchone()
            second = connection.execute(WHO).fetchone()

    assert alone["who"] == alone["acting"] == "fleet_node_alpha"
    assert first == second
    assert connection.closed


def test_a_node_may_not_do_what_only_the_owner_may(connect):
    """What was borrowed has the rights of the node."""
    with connect() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM fleet.nodes")


def test_nodes_take_turns_at_one_connection(pool, link):
    """The next one to ask is who it says, also after an error of the one before."""
    notices = Notices()
    alpha, beta = (make_connect(pool, node, link, notices)() for node in ("alpha", "beta"))
    with pytest.raises(psycopg.Error):
        alpha.execute("SELECT 1/0")

    assert beta.execute(WHO).fetchone()["who"] == "fleet_node_beta"
    assert alpha.execute(WHO).fetchone()["pid"] == beta.execute(WHO).fetchone()["pid"]


def test_a_transaction_that_fails_leaves_nothing(connect, fleet):
    """It is rolled back before the connection goes to somebody else."""
    connection = connect()

    def beat_and_fail():
        with connection.transaction():
            connection.execute("SELECT fleet.heartbeat('1', 'running', 1)")
            connection.execute("SELECT 1/0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        beat_and_fail()
    assert fleet.value("SELECT last_heartbeat_at FROM fleet.nodes WHERE node = 'alpha'") is None


def test_a_broken_connection_is_not_lent_again(connect, fleet):
    """The error reaches who had it; the next call gets another one."""
    connection = connect()
    pid = connection.execute(WHO).fetchone()["pid"]
    fleet.rows("SELECT pg_terminate_backend(%s, 5000)", pid)

    with pytest.raises(psycopg.OperationalError):
        connection.execute(WHO)
    assert connection.execute(WHO).fetchone()["pid"] != pid


def test_no_more_connections_than_places(pool, fleet):
    """Who comes too many waits until one is given back."""
    inside, leave = threading.Semaphore(0), threading.Event()

    def use():
        with pool.borrow("fleet_node_alpha"):
            inside.release()
            leave.wait(30)

    threads = [threading.Thread(target=use) for _ in range(CONNECTIONS_MAX + 3)]
    for thread in threads:
        thread.start()
    for _ in range(CONNECTIONS_MAX):
        assert inside.acquire(timeout=30)
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fleet twin'"
    held = fleet.value(f"{count} AND datname = current_database()")
    leave.set()
    for thread in threads:
        thread.join()

    assert held == CONNECTIONS_MAX


def test_a_cut_link_is_a_database_that_is_away(connect, link):
    """As a radio that has dropped; it is back without a word."""
    connection = connect()
    link.is_cut = True
    for use in (connect, lambda: connection.execute(WHO)):
        with pytest.raises(psycopg.OperationalError, match="unreachable"):
            use()
    link.is_cut = False

    assert connection.execute(WHO).fetchone()


def test_a_frozen_machine_waits(connect, link):
    """Its call is made when it runs again."""
    found = []
    connection = connect()
    link.freeze(is_frozen=True)
    thread = threading.Thread(target=lambda: found.append(connection.execute(WHO).fetchone()))
    thread.start()
    thread.join(0.1)
    assert not found
    link.freeze(is_frozen=False)
    thread.join(30)

    assert found


def test_what_is_notified_reaches_each_node_once(pool, link):
    """Whoever waits, and whoever looks later."""
    notices = Notices()
    alpha, beta = (make_connect(pool, node, link, notices)() for node in ("alpha", "beta"))
    notices.tell(psycopg.Notify("fleet_work", "now", 1))

    for node in (alpha, beta):
        assert [note.payload for note in node.notifies(timeout=5, stop_after=1)] == ["now"]
        assert list(node.notifies(timeout=0, stop_after=1)) == []
