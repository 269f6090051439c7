"""Who may do what: each role its list, and nothing else."""

from __future__ import annotations

import pytest
from fix_fleet import fleet_error

DENIED = "42501"
READ_ONLY = "25006"
CANCELLED = "57014"
NEW_TRANSACTION = "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"
VIEWS = "SELECT relname FROM pg_class WHERE relnamespace = 'analytics'::regnamespace"


@pytest.mark.parametrize("user", ["fleet_grafana", "fleet_analyst"])
def test_readers_read_every_view(fleet, user):
    """Grafana and analysts can read all of analytics."""
    views = [row["relname"] for row in fleet.rows(VIEWS)]

    assert len(views) >= 15
    for view in views:
        fleet.rows(f"SELECT * FROM analytics.{view} LIMIT 1", user=user)


def test_readers_read_nothing_else(fleet):
    """No table and no function outside analytics is open to Grafana."""
    open_tables = fleet.rows(
        "SELECT oid::regclass::text AS name FROM pg_class"
        " WHERE relnamespace::regnamespace::text IN ('fleet', 'telemetry', 'control', 'public')"
        " AND relkind IN ('r', 'p', 'v', 'm', 'S')"
        " AND has_table_privilege('fleet_grafana', oid, 'SELECT')"
    )
    open_functions = fleet.rows(
        "SELECT oid::regprocedure::text AS name FROM pg_proc"
        " WHERE pronamespace::regnamespace::text IN ('fleet', 'control', 'analytics', 'telemetry')"
        " AND has_function_privilege('fleet_grafana', oid, 'EXECUTE')"
    )

    assert open_tables == []
    assert open_functions == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT text FROM fleet.turns",
        "SELECT * FROM telemetry.hardware",
        "SELECT password_hash FROM control.users",
        "SELECT * FROM control.audit",
        "SELECT fleet.submit_job('complaint', 1, 'eve')",
        "SELECT control.put_user('eve', 'x', 'admin')",
        "SELECT control.audit_hash(1, now(), '', '', '', '', '', '', '', NULL, '')",
        "CREATE TEMP TABLE t (x int)",
        "CREATE TABLE public.t (x int)",
        "CREATE TABLE analytics.t (x int)",
        "INSERT INTO analytics.fleet_state VALUES ('paused', now(), 'eve', 'why')",
        "DELETE FROM analytics.events",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT pg_advisory_lock(hashtext('control.audit'))",
        "SELECT pg_try_advisory_xact_lock_shared(1)",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('.')",
        "COPY (SELECT 1) TO '/tmp/mine'",
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'fleet_owner'",
        "SELECT pg_reload_conf()",
        "SELECT * FROM pg_authid",
        "ALTER ROLE fleet_grafana CONNECTION LIMIT -1",
        "SET ROLE fleet_control",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
def test_grafana_is_denied(fleet, sql):
    """Also when a Viewer switches the read-only default off, there is nothing to write or call."""
    fleet.rows(NEW_TRANSACTION, user="fleet_grafana")

    with fleet_error(sqlstate=DENIED):
        fleet.rows(sql, user="fleet_grafana")


def test_grafana_is_limited(fleet):
    """Read-only by default, few connections, and no long query."""
    assert fleet.value("SHOW statement_timeout", user="fleet_grafana") == "15s"
    assert fleet.value("SHOW default_transaction_read_only", user="fleet_grafana") == "on"
    assert fleet.value("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'fleet_grafana'") > 0
    with fleet_error(sqlstate=READ_ONLY):
        fleet.rows("CREATE TABLE analytics.t (x int)", user="fleet_grafana")


def test_grafana_waits_no_longer_than_its_time_out(fleet):
    """The server ends a statement that takes longer."""
    fleet.rows("SET statement_timeout = '20ms'", user="fleet_grafana")

    with fleet_error(sqlstate=CANCELLED):
        fleet.rows("SELECT pg_sleep(30)", user="fleet_grafana")


def test_grafana_does_not_see_what_others_do(fleet):
    """Of sessions of other roles there is neither statement nor address, only that they exist."""
    fleet.rows("SELECT 'a secret'")
    others = fleet.rows(
        "SELECT query, client_addr FROM pg_stat_activity WHERE usename = 'fleet_owner'",
        user="fleet_grafana",
    )

    assert others
    assert {row["query"] for row in others} == {"<insufficient privilege>"}
    assert {row["client_addr"] for row in others} == {None}


def test_what_grafana_notifies_is_no_order(fleet):
    """PostgreSQL has no right for NOTIFY: all it can do is have programs look at the tables."""
    fleet.rows("NOTIFY fleet_commands, '*'", user="fleet_grafana")

    assert fleet.rows("SELECT * FROM fleet.commands") == []
    assert fleet.value("SELECT state FROM fleet.state") == "running"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT fleet.submit_job('complaint', 1, 'eve')",
        "SELECT fleet.set_fleet_state('paused', 'eve', 'why')",
        "SELECT fleet.set_config('fleet', 'temperature', 1, 'eve', 'why')",
        "SELECT control.write_audit('a', 'b', 'token', 'c', 'd', 'done', 'e', NULL)",
        "SELECT control.put_token('t', '', 'admin', 'eve', NULL)",
        "SELECT fleet.sweep_tasks()",
        "SELECT fleet.bump_counter('alpha', 'x', '{}', 1)",
        "SELECT fleet.enroll_node(gen_random_uuid(), 'x', '{}', NULL, NULL)",
        "SELECT * FROM fleet.turns",
        "SELECT * FROM fleet.conversations",
        "SELECT * FROM control.users",
        "UPDATE fleet.tasks SET state = 'pending'",
        "DELETE FROM telemetry.hardware",
        "UPDATE telemetry.hardware SET mode = 'idle'",
        "INSERT INTO telemetry.llm_requests (node) VALUES ('alpha')",
    ],
)
def test_node_is_denied(fleet, sql):
    """A machine steers nothing, reads no transcripts and rewrites no readings."""
    with fleet_error(sqlstate=DENIED):
        fleet.rows(sql, user="alpha")


def test_node_inserts_readings(fleet):
    """A machine's login may insert what its sensors say, also through a temporary table."""
    fleet.rows(
        "INSERT INTO telemetry.disks VALUES (now(), 'alpha', '/', 1, 2);"
        "CREATE TEMP TABLE resent (x int)",
        user="alpha",
    )

    assert fleet.value("SELECT mount FROM analytics.disks") == "/"


@pytest.mark.parametrize(
    ("user", "sql"),
    [
        ("fleet_control", "SELECT text FROM fleet.turns"),
        ("fleet_control", "UPDATE control.users SET role = 'admin'"),
        ("fleet_control", "SELECT fleet.claim_tasks(gen_random_uuid(), 1)"),
        ("fleet_control", "SELECT fleet.lead(gen_random_uuid())"),
        ("fleet_master", "SELECT text FROM fleet.turns"),
        ("fleet_master", "SELECT * FROM control.tokens"),
        ("fleet_master", "SELECT fleet.submit_job('complaint', 1, 'eve')"),
        ("fleet_master", "UPDATE fleet.jobs SET state = 'done'"),
        ("fleet_master", "SELECT fleet.sweep_tasks()"),
    ],
)
def test_programs_are_denied_each_others_work(fleet, user, sql):
    """Control API and master each have their own functions and see no transcripts."""
    with fleet_error(sqlstate=DENIED):
        fleet.rows(sql, user=user)


def test_functions_do_not_trust_the_search_path(fleet):
    """Every function of ours says where it looks for names; one that cannot, qualifies them."""
    loose = fleet.rows(
        "SELECT proname AS name FROM pg_proc"
        " WHERE pronamespace::regnamespace::text IN ('fleet', 'control', 'telemetry')"
        " AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)"
        " AND prokind <> 'a' ORDER BY 1"
    )
    # A trigger of every tick, at the rights of whoever writes; procedures that commit.
    qualified = ["complete_levels", "fill_levels", "note_minutes"]

    assert [row["name"] for row in loose] == qualified


def test_temporary_types_do_not_stand_in_for_ours(fleet):
    """A node that makes a type of a known name does not make our functions run its code."""
    with fleet.database.connect("alpha") as node:
        node.execute(
            "CREATE FUNCTION pg_temp.evil(pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$"
        )
        node.execute("CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.evil(VALUE))")

        (row,) = node.execute("SELECT fleet.current_node() AS node").fetchall()

    assert row == {"node": "alpha"}
