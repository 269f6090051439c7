"""A twin of three nodes on a real PostgreSQL: real programs over machines that do not exist."""

from __future__ import annotations

import urllib.error
import urllib.request
import uuid
from dataclasses import replace

import fix_fleet
import pytest
from fix_fleet import wait_until
from fix_ports import free_port
from fleet_twin import faults
from fleet_twin.fleet.program import TwinSettings, running
from fleet_twin.machine.kinds import list_places

fleet, module_database = fix_fleet.fleet, fix_fleet.module_database

# Models that need no time, and nobody who takes the machine away.
PLACES = [
    replace(place, kind=replace(place.kind, tokens_per_second=4000.0, habit="nobody",
                                has_battery=False, is_wireless=False))
    for place in list_places(3)
]  # fmt: skip
NODES = [place.node for place in PLACES]


@pytest.fixture
def told(fleet, tmp_path):
    """Three enrolled nodes, and where their twin finds everything."""
    dsn = fleet.database.dsn()
    ports = ("127.0.0.1", free_port()), ("127.0.0.1", free_port())
    for node in NODES:
        enrolled = fleet.value(
            "SELECT fleet.enroll_node(%s, %s, '{generate,quality}', '127.0.0.1:1', NULL)",
            uuid.uuid4(), node,
        )  # fmt: skip
        assert enrolled == node
    yield TwinSettings(PLACES, tmp_path / "run", tmp_path / "spool", tmp_path / "twin",
                       *ports, "tests", dsn)  # fmt: skip
    for node in NODES:  # logins are the server's
        fleet.rows(f'DROP ROLE "fleet_node_{node}"')


def scrape(told, node):
    """The page of a node; None where nobody answers."""
    url = "http://{}:{}/".format(*told.pages)
    try:
        with urllib.request.urlopen(f"{url}{node}/metrics", timeout=2) as answer:
            return answer.read().decode()
    except (OSError, urllib.error.HTTPError):
        return None


def readings(fleet):
    """How many rows of readings each node has."""
    rows = fleet.rows("SELECT node, count(*) AS n FROM telemetry.hardware GROUP BY node")
    return {row["node"]: row["n"] for row in rows}


def test_three_nodes_read_beat_write_and_judge(fleet, told):
    """Readings, heartbeats and conversations come in the name of each node."""
    fleet.submit(count=6)

    with running(told):
        wait_until(lambda: readings(fleet).keys() == set(NODES), "each node has readings")
        wait_until(
            lambda: fleet.value("SELECT count(*) FROM analytics.conversations") == 6,
            "six conversations are written and judged",
        )
        pages = {node: scrape(told, node) for node in NODES}

    beating = fleet.rows("SELECT node FROM fleet.nodes WHERE last_heartbeat_at IS NOT NULL")
    assert {row["node"] for row in beating} == set(NODES)
    assert 'fleet_gpu_info{gpu="1"' in pages["desktop-1"]
    assert "fleet_gpu_info" not in pages["epyc-1"].replace("# ", "")
    assert all("fleet_activity_mode" in page for page in pages.values())


def test_a_node_that_is_gone_answers_nothing_and_comes_back(fleet, told):
    """Its page, its heartbeat and its readings end, those of the others go on."""
    with running(told) as nodes:
        wait_until(lambda: scrape(told, "epyc-1"), "the page is there")
        faults.store(told.faults, {"epyc-1": frozenset({"node-gone"})})
        wait_until(lambda: scrape(told, "epyc-1") is None, "the page is gone")
        wait_until(nodes["epyc-1"]._stop.is_set, "the programs are told to end")
        assert scrape(told, "gamer-1")
        faults.store(told.faults, {})
        wait_until(lambda: scrape(told, "epyc-1"), "the page is back")
        before = readings(fleet).get("epyc-1", 0)
        wait_until(lambda: readings(fleet).get("epyc-1", 0) > before, "readings go on")


def test_a_frozen_node_beats_no_more_and_goes_on(fleet, told):
    """What hangs is not dead: the same programs go on afterwards."""
    beat = "SELECT last_heartbeat_at FROM fleet.nodes WHERE node = 'gamer-1'"

    with running(told) as nodes:
        wait_until(lambda: fleet.value(beat), "the first heartbeat")
        faults.store(told.faults, {"gamer-1": frozenset({"node-frozen"})})
        wait_until(lambda: nodes["gamer-1"].agent.is_frozen, "it is frozen")
        seen = fleet.value(beat)
        assert scrape(told, "gamer-1") is None
        assert fleet.value(beat) == seen
        faults.store(told.faults, {})
        wait_until(lambda: fleet.value(beat) != seen, "it beats again")


def test_a_frozen_exporter_takes_nobody_along(fleet, told):
    """Agent and worker go on; the page is not answered until it goes on."""
    beat = "SELECT last_heartbeat_at FROM fleet.nodes WHERE node = 'gamer-1'"

    with running(told):
        wait_until(lambda: scrape(told, "gamer-1") and fleet.value(beat), "page and heartbeat")
        faults.store(told.faults, {"gamer-1": frozenset({"exporter-frozen"})})
        wait_until(lambda: scrape(told, "gamer-1") is None, "the page is gone")
        seen = fleet.value(beat)
        wait_until(lambda: fleet.value(beat) != seen, "it still beats")
        faults.store(told.faults, {})
        wait_until(lambda: scrape(told, "gamer-1"), "the page is back")


def test_a_frozen_agent_leaves_the_page(fleet, told):
    """No heartbeat comes, readings do."""
    beat = "SELECT last_heartbeat_at FROM fleet.nodes WHERE node = 'gamer-1'"

    with running(told) as nodes:
        wait_until(lambda: fleet.value(beat), "the first heartbeat")
        faults.store(told.faults, {"gamer-1": frozenset({"agent-frozen"})})
        wait_until(lambda: nodes["gamer-1"].agent.is_frozen, "it is frozen")
        before, seen = readings(fleet).get("gamer-1", 0), fleet.value(beat)
        wait_until(lambda: readings(fleet).get("gamer-1", 0) > before, "readings go on")
        assert fleet.value(beat) == seen
        faults.store(told.faults, {})


def test_stuck_readings_wait_and_come(fleet, told):
    """The page says how many wait; nothing is lost."""
    with running(told):
        wait_until(lambda: readings(fleet).get("gamer-1"), "the first readings")
        faults.store(told.faults, {"gamer-1": frozenset({"readings-stuck"})})
        wait_until(
            lambda: "fleet_spool_rows 0" not in (scrape(told, "gamer-1") or "fleet_spool_rows 0"),
            "rows wait",
        )
        before = readings(fleet)["gamer-1"]
        faults.store(told.faults, {})
        wait_until(lambda: readings(fleet)["gamer-1"] > before, "they come")


def test_a_page_too_long_is_one_as_before_and_more(fleet, told):
    """Longer than Prometheus takes of a target."""
    with running(told):
        page = wait_until(lambda: scrape(told, "gamer-1"), "the page")
        faults.store(told.faults, {"gamer-1": frozenset({"page-too-long"})})
        longer = wait_until(
            lambda: (found := scrape(told, "gamer-1")) and "junk" in found and found, "the long one"
        )

    assert longer.count("\n") > page.count("\n") + 2000
    assert "fleet_node_info" in longer


def test_a_double_ousts_a_node_and_leaves(fleet, told):
    """Its own machine is refused and stores nothing, until the other one is silent for long."""
    twice = "SELECT duplicated_at FROM fleet.nodes WHERE node = 'epyc-1'"
    host = "SELECT machine_host FROM fleet.nodes WHERE node = 'epyc-1'"
    held = "fleet_ingest_held_back 1"
    fleet.set("heartbeat_seconds", 0.5)

    with running(told):
        wait_until(lambda: fleet.value(host), "its own machine speaks for it")
        faults.store(told.faults, {"epyc-1": frozenset({"node-twice"})})
        wait_until(lambda: fleet.value(host) == "another-machine", "another one does")
        wait_until(lambda: fleet.value(twice), "its own is refused")
        wait_until(lambda: held in (scrape(told, "epyc-1") or ""), "readings are held back")
        faults.store(told.faults, {})
        wait_until(lambda: fleet.value(host) != "another-machine", "its own one is back")
