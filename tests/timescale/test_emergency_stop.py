"""An emergency stop in the database: nothing is claimed, everybody is told, people resume."""

from __future__ import annotations

import threading
import uuid

import pytest
from fix_fleet import fleet_error, wait_until

COMMANDS = "SELECT node, verb, state, result FROM analytics.commands ORDER BY node, time"


def stop(fleet, by="ada", reason="smoke"):
    return fleet.value("SELECT fleet.emergency_stop(%s, %s)", by, reason, user="fleet_control")


def set_state(fleet, state):
    return fleet.value("SELECT fleet.set_fleet_state(%s, 'ada', '')", state, user="fleet_control")


def obey(fleet, node):
    (row,) = fleet.rows("SELECT * FROM fleet.open_commands()", user=node)
    fleet.rows("SELECT fleet.acknowledge_command(%s)", row["command_id"], user=node)
    fleet.rows("SELECT fleet.finish_command(%s, 'done', 'x')", row["command_id"], user=node)


def test_all_nodes_are_told_and_it_is_seen_who_has_answered(fleet):
    """Each node has its command at once; the view names who has acknowledged, and when."""
    assert stop(fleet) is True
    obey(fleet, "beta")

    rows = fleet.rows("SELECT * FROM analytics.emergency_stop", user="fleet_grafana")
    assert [(r["node"], r["state"]) for r in rows] == [("alpha", "requested"), ("beta", "done")]
    assert rows[0]["acknowledged_seconds"] is None
    assert 0 <= rows[1]["acknowledged_seconds"] < 60
    (event,) = fleet.rows(
        "SELECT severity, message FROM analytics.events WHERE kind = 'fleet_stopped'"
    )
    assert event == {"severity": "warning", "message": "Emergency stop by ada: smoke"}


def test_removed_node_is_not_told(fleet):
    """Who has left is not waited for."""
    fleet.rows("UPDATE fleet.nodes SET removed_at = now() WHERE node = 'beta'")

    stop(fleet)

    assert [row["node"] for row in fleet.rows(COMMANDS)] == ["alpha"]


def test_nothing_is_claimed_nor_judged_nor_extended(fleet):
    """Neither tasks nor judgements; who writes keeps no lease, but may store and give back."""
    fleet.write()
    fleet.submit(count=2)
    held = fleet.claim_one().start()
    held.store(("Thank you for calling.",))
    stop(fleet)

    assert fleet.claim(5, "beta") == []
    judge = "SELECT * FROM fleet.claim_judgements(%s, 5)"
    assert fleet.rows(judge, uuid.uuid4(), user="beta") == []
    extend = "SELECT * FROM fleet.extend_lease(%s, %s)"
    assert fleet.rows(extend, held.worker, [held.row["task_id"]], user="alpha") == []
    held.call("store_turn", 2, "customer", "Hello, I have a question.")
    held.release()
    assert fleet.task(held)["state"] == "pending"
    set_state(fleet, "running")
    (again,) = [h for h in fleet.claim(5, "beta") if h.row["task_id"] == held.row["task_id"]]
    assert len(again.row["turns"]) == 2


def test_claim_that_began_before_is_over_when_the_fleet_is_stopped(fleet, module_database):
    """The stop waits for claims under way; one that comes meanwhile finds the fleet stopped."""
    fleet.submit(count=2)
    claim = "SELECT * FROM fleet.claim_tasks(gen_random_uuid(), 1)"
    with module_database.connect("alpha") as early, module_database.connect("beta") as late:
        early.execute("BEGIN")
        assert len(early.execute(claim).fetchall()) == 1
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        stopper = threading.Thread(target=stop, args=(fleet,))
        stopper.start()
        wait_until(lambda: fleet.value(waiting) == 1, "the stop waits")
        found = []
        claimer = threading.Thread(target=lambda: found.append(late.execute(claim).fetchall()))
        claimer.start()
        early.execute("COMMIT")
        stopper.join(20)
        claimer.join(20)

    assert found == [[]]


def test_claim_that_hangs_does_not_hold_it_up(fleet, module_database):
    """A session that died in the middle of a claim is waited for half a second only."""
    fleet.submit()
    with module_database.connect("alpha") as hanging:
        hanging.execute("BEGIN")
        hanging.execute("SELECT * FROM fleet.claim_tasks(gen_random_uuid(), 1)")

        assert stop(fleet) is True


def test_upkeep_does_not_hold_it_up(fleet, module_database):
    """While the master is at a long step, the state of the fleet can be changed."""
    master = uuid.uuid4()
    with module_database.connect("fleet_master") as connection:
        epoch = connection.execute("SELECT fleet.lead(%s) AS n", [master]).fetchone()["n"]
        connection.execute("BEGIN")
        connection.execute("SELECT fleet.do_upkeep(%s, %s, 'split_jobs')", [master, epoch])
        fleet.rows("SET statement_timeout = '10s'", user="fleet_control")

        assert stop(fleet) is True


def test_open_commands_are_overtaken(fleet):
    """What nodes were told before is over: no start comes after the stop."""
    fleet.rows("SELECT fleet.request_command('alpha', 'restart', 'ada')", user="fleet_control")

    stop(fleet)

    assert [tuple(row.values()) for row in fleet.rows(COMMANDS)] == [
        ("alpha", "restart", "failed", "overtaken by the emergency stop"),
        ("alpha", "emergency_stop", "requested", None),
        ("beta", "emergency_stop", "requested", None),
    ]


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_no_worker_is_started_until_resume(fleet, verb):
    """A single node is not started past the stop."""
    stop(fleet)
    request = "SELECT fleet.request_command('alpha', %s, 'ada')"

    with fleet_error("stopped since an emergency stop", "Resume the fleet first"):
        fleet.rows(request, verb, user="fleet_control")

    set_state(fleet, "running")
    fleet.rows(request, verb, user="fleet_control")


def test_pressed_again_tells_only_those_that_have_not_obeyed(fleet):
    """Whose command has expired is told again; the time of the stop stays."""
    stop(fleet)
    obey(fleet, "beta")
    fleet.rows(
        "UPDATE fleet.commands SET deadline_at = now() - interval '1 s' WHERE node = 'alpha'"
    )
    fleet.rows("SELECT fleet.expire_commands()")

    assert stop(fleet) is False

    rows = [(row["node"], row["state"]) for row in fleet.rows(COMMANDS)]
    assert rows == [("alpha", "expired"), ("alpha", "requested"), ("beta", "done")]
    rows = fleet.rows("SELECT node, state FROM analytics.emergency_stop")
    assert [tuple(row.values()) for row in rows] == [("alpha", "requested"), ("beta", "done")]


def test_nodes_resume_one_after_the_other(fleet):
    """Each has a time of its own within the setting, the same at each resume."""
    fleet.set("resume_spread_seconds", 60)
    may_run = "SELECT * FROM fleet.may_run()"
    times = [fleet.rows(may_run, user=node) for node in ("alpha", "beta", "alpha")]

    assert times[0] == times[2] != times[1]
    assert all(0 <= row["resume_seconds"] < 60 for (row,) in times)
    assert [row["is_stopped"] for (row,) in times] == [False] * 3
    stop(fleet)
    assert fleet.rows(may_run, user="alpha")[0]["is_stopped"]


def test_stopped_fleet_cannot_be_paused(fleet):
    """A pause would be less than it is; resume ends it, and what nobody obeyed is over."""
    stop(fleet)
    with fleet_error("stopped since the emergency stop by ada", "Resume it first"):
        set_state(fleet, "paused")

    assert set_state(fleet, "running") is True
    assert {row["state"] for row in fleet.rows(COMMANDS)} == {"expired"}
    (event,) = fleet.rows("SELECT message FROM analytics.events WHERE kind = 'fleet_resumed'")
    assert event["message"] == "The fleet was resumed after the emergency stop by ada."
