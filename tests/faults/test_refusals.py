"""The database says no for a moment: work is done all the same, once, and no program ends."""

from __future__ import annotations

import fix_fleet
import model_server as model_server_module
import pytest
import requests
from fix_control import (
    control_settings,
    grafana_double,
    make_settings,
    make_token,
    start_api,
    stop_api,
)
from fix_fleet import wait_until
from fix_postgres import Server, make_database
from machines import Machine

fleet, module_database = fix_fleet.fleet, fix_fleet.module_database
model_server = model_server_module.model_server
__all__ = ("control_settings", "grafana_double")

JUDGED = "SELECT count(*) AS n FROM analytics.conversations"
TASKS = "SELECT state, attempt FROM analytics.tasks"
# Each third statement fails, whoever sends it, with the next of these in turn.
REFUSE = """
CREATE SEQUENCE public.refusals;
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_number bigint := nextval('public.refusals');
BEGIN
  IF v_number % 3 = 0 THEN
    RAISE EXCEPTION 'not now' USING ERRCODE =
      (ARRAY['40001', '40P01', '55P03', '53300', '57014'])[1 + v_number / 3 % 5];
  END IF;
  RETURN NEW;
END $$;
GRANT USAGE ON SEQUENCE public.refusals TO PUBLIC;
CREATE TRIGGER refuse BEFORE INSERT ON fleet.turns FOR EACH ROW EXECUTE FUNCTION public.refuse();
CREATE TRIGGER refuse BEFORE INSERT ON fleet.conversations
  FOR EACH ROW EXECUTE FUNCTION public.refuse();
"""


@pytest.fixture
def machine(fleet, model_server):
    """Machine alpha with all its programs, and the numbers of their processes."""
    made = Machine("alpha", fleet.database, model_server.url)
    made.start()
    yield made
    made.end()


def pids(machine):
    return [machine.wait_for(program) for program in ("node", "worker", "master")]


def cut_off(owner, login):
    """Refuse new connections of a login as a server with too many does (53300), end its own."""
    owner.execute(f"ALTER ROLE {login} CONNECTION LIMIT 0")
    owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
                  [login])  # fmt: skip


def count_judged(answer):
    """The conversations of the only job; the stub repeats itself, so that some are rejected."""
    (job,) = answer.json()["jobs"]
    return job["done"] + job["rejected"]


def test_refused_statements_are_sent_again(fleet, machine):
    """Serialization, deadlock, lock time-out, too many connections: each task has one result."""
    fleet.rows(REFUSE)
    try:
        fleet.rows("SELECT fleet.submit_job('order_status', 5, 'tests', 4, 4)")
        wait_until(lambda: fleet.value(JUDGED) == 5, "five results")
    finally:
        fleet.rows("DROP FUNCTION public.refuse CASCADE; DROP SEQUENCE public.refusals")

    assert {row["state"] for row in fleet.rows(TASKS)} == {"done"}
    assert fleet.value("SELECT count(*) FROM analytics.task_failures WHERE counts") == 0


def test_node_without_a_connection_waits(fleet, machine):
    """Too many connections: agent and worker try again, and go on as the same processes."""
    before = pids(machine)
    cut_off(fleet.connection(), "fleet_node_alpha")
    try:
        fleet.rows("SELECT fleet.submit_job('order_status', 1, 'tests', 4, 4)")
        refused = "too many connections for role"
        wait_until(lambda: machine.read_log().count(refused) >= 3, "agent and worker are refused")
    finally:
        fleet.rows("ALTER ROLE fleet_node_alpha CONNECTION LIMIT -1")

    wait_until(lambda: fleet.value(JUDGED) == 1, "the result")
    assert pids(machine) == before


def test_api_without_a_connection_says_when_to_come_again(owner, control_settings, tmp_path):
    """503 with Retry-After while the server takes no more connections, then as before."""
    owner.execute("ALTER ROLE fleet_control CONNECTION LIMIT -1")
    token = make_token(owner, "admin")
    process, url, _ = start_api(control_settings, tmp_path)
    read = lambda: requests.get(  # noqa: E731 - asked again and again
        f"{url}/jobs", headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    try:
        assert read().status_code == 200
        cut_off(owner, "fleet_control")
        refused = wait_until(
            lambda: [a for a in [read()] if a.status_code != 200], "it is refused"
        )[0]
        owner.execute("ALTER ROLE fleet_control CONNECTION LIMIT -1")
        wait_until(lambda: read().status_code == 200, "it answers again")
        assert process.poll() is None
    finally:
        owner.execute("ALTER ROLE fleet_control CONNECTION LIMIT -1")
        stop_api(process)

    assert (refused.status_code, refused.headers["Content-Type"]) == (
        503, "application/problem+json",
    )  # fmt: skip
    assert int(refused.headers["Retry-After"]) > 0


def test_restart_of_the_database_ends_no_program(postgres, model_server, grafana_double, tmp_path):
    """API, agent, worker and master find it again; meanwhile the API answers 503."""
    server = Server(postgres.programs)
    machine = process = None
    try:
        make_database(server.port)
        with server.connect() as owner:
            owner.execute("ALTER ROLE fleet_master LOGIN; ALTER ROLE fleet_control LOGIN")
            headers = {"Authorization": f"Bearer {make_token(owner, 'admin')}"}
            owner.execute("SELECT fleet.submit_job('order_status', 60, 'tests', 4, 4)")
        machine = Machine("alpha", server, model_server.url)
        machine.start()
        settings = make_settings(server.dsn("fleet_control"), grafana_double)
        process, url, _ = start_api(settings, tmp_path)

        def read():
            return requests.get(f"{url}/jobs", headers=headers, timeout=60)

        wait_until(lambda: count_judged(read()) >= 5, "some are judged")
        before, statuses = pids(machine), set()
        server.stop("fast")
        statuses |= {read().status_code for _ in range(5)}
        server.start()
        wait_until(lambda: read().status_code == 200, "it is back")
        wait_until(lambda: count_judged(read()) == 60, "all are judged")

        assert statuses == {503}
        assert (pids(machine), process.poll()) == (before, None)
        with server.connect() as owner:
            assert owner.execute(JUDGED).fetchone() == {"n": 60}
    finally:
        if process:
            stop_api(process)
        if machine:
            machine.end()
        server.remove()
