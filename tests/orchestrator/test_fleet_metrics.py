"""What the master publishes for alerts: the database, lost leases, nodes with two machines."""

from __future__ import annotations

import pytest
from fleet_orchestrator.fleet_metrics import FleetCollector
from fleet_orchestrator.master import Master
from prometheus_client import CollectorRegistry


@pytest.fixture
def led(fleet):
    """A master, and a way to let it do a round."""
    connection = fleet.database.connect("fleet_master")
    yield Master(FleetCollector()), lambda master: master.tick(connection)
    connection.close()


def read(master, name, **labels):
    """Return a published value; None where there is none."""
    registry = CollectorRegistry()
    registry.register(master.collector)
    return registry.get_sample_value(name, labels)


def test_database_that_hangs_does_not_answer():
    """A master that has heard nothing of the database for long does not say that it is well."""
    now = 0.0
    collector = FleetCollector(lambda: now)
    master = Master(collector)
    assert read(master, "fleet_database_up") is None
    collector.note_database(answers=True)
    assert read(master, "fleet_database_up") == 1
    now = 10.0

    assert read(master, "fleet_database_up") == 0


def test_lost_leases_are_counted(fleet, led):
    """Each task that is taken back counts, whoever held it."""
    leader, tick = led
    fleet.submit(count=2)
    fleet.claim(2)
    fleet.let_leases_end()
    tick(leader)

    assert read(leader, "fleet_tasks_taken_back_total") == 2


def test_second_machine_of_a_node_is_published(fleet, led):
    """When another machine said last that it is the node; nothing of a node with one machine."""
    leader, tick = led
    for machine in ("first", "second"):
        fleet.rows("SELECT fleet.hold_node(%s, 'tower')", machine, user="alpha")
    fleet.rows("SELECT fleet.hold_node('other', 'tower')", user="beta")
    tick(leader)

    name = "fleet_node_duplicated_timestamp_seconds"
    assert read(leader, name, node="alpha") > 1.7e9
    assert read(leader, name, node="beta") is None
