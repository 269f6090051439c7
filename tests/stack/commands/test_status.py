"""The state of each part, out of what supervisor and the part itself say."""

from __future__ import annotations

import pytest
from fleet_stack.commands.status import (
    GONE,
    START,
    STOPPED,
    ServiceStatus,
    decide,
    is_wrong,
    render,
)
from fleet_stack.home.stack import ABSENT, EXTERNAL, MANAGED, NAMES, Part
from fleet_stack.run import health
from fleet_stack.run.supervisor import Process

URL = "http://127.0.0.1:1"
PART = Part(MANAGED, URL)


def process(state="RUNNING", pid=7, name="master"):
    return Process(name, state, pid, 1.0, f"is {state}")


@pytest.mark.parametrize(
    ("processes", "problem", "expected"),
    [
        ({"master": process()}, "", ServiceStatus("up", URL, 7)),
        (
            {"master": process()},
            "does not answer",
            ServiceStatus("failed", URL, 7, "does not answer"),
        ),
        (
            {"master": process("STOPPED", None)},
            "does not answer",
            ServiceStatus("down", URL, None, "does not answer"),
        ),
        (
            {"master": process("BACKOFF", None)},
            "does not answer",
            ServiceStatus("failed", URL, None, "is BACKOFF; see `./fleet logs master`"),
        ),
        ({}, "does not answer", ServiceStatus("down", URL, None, "does not answer")),
        (None, "does not answer", ServiceStatus("down", URL, None, START)),
        (None, "", ServiceStatus("failed", URL, None, GONE)),
    ],
    ids=["up", "sick", "stopped", "crashing", "unknown", "all down", "supervisor killed"],
)
def test_state_of_a_managed_part(processes, problem, expected):
    """Only a part that runs under supervisor and answers is up."""
    assert expected == decide("master", PART, processes, problem, None)


def test_worker_is_a_child_of_the_agent():
    """It has its own process number, and is down without one."""
    processes = {"node": process(name="node")}

    assert ServiceStatus("up", None, 9) == decide("worker", Part(MANAGED), processes, "", 9)
    assert is_wrong(decide("worker", Part(MANAGED), processes, "is restarting", None))


def test_worker_that_people_stopped_is_down_and_not_amiss():
    """`status` says so and exits with 0, and `up` has nothing to mend."""
    status = decide("worker", Part(MANAGED), {"node": process(name="node")}, "", None)

    assert status == ServiceStatus("down", None, None, STOPPED)
    assert not is_wrong(status)
    assert is_wrong(decide("worker", Part(MANAGED), {}, "", None))


@pytest.mark.parametrize("state", [ABSENT, EXTERNAL])
def test_what_we_do_not_run_is_never_amiss(state):
    """Its reason or address is shown, its process is not ours."""
    status = decide("grafana", Part(state, URL, "no network"), None, "", None)

    assert ServiceStatus(state, URL, None, "no network") == status


def test_table_has_one_line_a_part():
    """Eleven lines, each begins with the name."""
    lines = render(dict.fromkeys(NAMES, ServiceStatus("up", URL, 3))).splitlines()

    assert list(NAMES) == [line.split()[0] for line in lines]
    assert lines[0].split()[1] == "up"


def test_reason_of_an_absent_part_stands_where_others_have_their_address():
    """One table, whatever a part lacks."""
    rows = dict.fromkeys(NAMES, ServiceStatus("up", URL, 3))
    rows["grafana"] = ServiceStatus("absent", reason="no network")
    lines = {line.split()[0]: line for line in render(rows).splitlines()}

    assert lines["grafana"].index("no network") == lines["mail"].index(URL)


def test_agent_of_a_removed_node_has_ended_for_a_reason():
    """It is not looked for in a log."""
    processes = {"node": process("EXITED", None, "node")}

    status = decide("node", PART, processes, health.REMOVED, None)

    assert status == ServiceStatus("failed", URL, None, health.REMOVED)
