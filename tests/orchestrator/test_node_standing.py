"""Who may speak for a node: not the copy of a home, and not a machine that was removed."""

from __future__ import annotations

import json

import psycopg
import pytest
from agents import Agents
from fix_fleet import wait_until
from fix_ports import free_port
from fleet_orchestrator.agent import standing


def read_held_back(folder):
    """Why the exporter in this folder stores no readings; None before the agent has said so."""
    if not (folder / "settings.json").exists():
        return None
    return json.loads((folder / "settings.json").read_text()).get("held_back", "")


def test_copied_home_does_not_work(fleet, agents, tmp_path, beside):
    """The agent of a copy starts no worker and is told of; the first goes on undisturbed."""
    agents.start_with_worker()
    (tmp_path / "copy").mkdir()
    copy = Agents(fleet, tmp_path / "copy", beside)

    copy.start()

    told = "SELECT count(*) FROM analytics.events WHERE kind = 'node_duplicated'"
    wait_until(lambda: fleet.value(told) == 1, "the copy is told of")
    assert copy.child.process is None
    assert agents.child.is_running
    reason = wait_until(lambda: read_held_back(copy.folder), "its exporter stores nothing")
    assert "one home is a copy of the other" in reason
    wait_until(lambda: read_held_back(agents.folder) == "", "the first stores its readings")
    copy.end()


def test_agent_that_lost_its_node_ends_its_worker(fleet, agents):
    """A machine that slept while a copy of it took over stops writing when it wakes."""
    agents.start_with_worker()

    fleet.rows(
        "UPDATE fleet.nodes SET machine = 'copy', machine_host = 'copy',"
        " machine_seen_at = now() + interval '5 seconds' WHERE node = 'alpha'"
    )

    wait_until(lambda: not agents.child.is_running, "the worker is ended")
    fleet.rows("UPDATE fleet.nodes SET machine_seen_at = now() - interval '1 hour'")
    wait_until(lambda: agents.child.is_running, "the worker runs again once the copy is silent")
    wait_until(lambda: read_held_back(agents.folder) == "", "readings are stored again")


def test_agent_of_a_removed_node_ends(fleet, agents, caplog):
    """Its worker too; it says once how to join again, and asks the database no more."""
    agents.start_with_worker()

    fleet.rows("UPDATE fleet.nodes SET removed_at = now() WHERE node = 'alpha'")

    wait_until(lambda: not agents.thread.is_alive(), "the agent ends")
    assert not agents.child.is_running
    assert "was removed from the fleet" in read_held_back(agents.folder)
    said = [r.getMessage() for r in caplog.records if "fleet nodes invite" in r.getMessage()]
    assert len(said) == 1


def test_login_that_was_taken_back_is_a_refusal(fleet):
    """A database that does not answer is none."""
    fleet.rows("CREATE ROLE gone NOLOGIN")
    try:
        with pytest.raises(psycopg.OperationalError) as taken_back:
            psycopg.connect(fleet.database.dsn(), user="gone")
    finally:
        fleet.rows("DROP ROLE gone")
    with pytest.raises(psycopg.OperationalError) as away:
        psycopg.connect(f"host=127.0.0.1 port={free_port()}")

    assert standing.is_refusal(taken_back.value)
    assert standing.is_refusal(
        psycopg.OperationalError('FATAL:  password authentication failed for user "gone"')
    )
    assert not standing.is_refusal(away.value)
