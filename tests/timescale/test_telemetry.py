"""Who may write which readings."""

from __future__ import annotations

import pytest
from fix_fleet import fleet_error

ROWS = {
    "hardware": ("(time, node)", "(now(), {node})"),
    "gpu": ("(time, node, gpu)", "(now(), {node}, '0')"),
    "disks": ("(time, node, mount, free_bytes, total_bytes)", "(now(), {node}, '/', 1, 2)"),
    "disk_io": (
        "(time, node, device, read_bytes_total, written_bytes_total, reads_total, writes_total)",
        "(now(), {node}, 'd', 1, 2, 3, 4)",
    ),
    "temperatures": ("(time, node, sensor, temperature_celsius)", "(now(), {node}, 's', 40)"),
    "network": (
        "(time, node, device, receive_bytes_total, transmit_bytes_total)",
        "(now(), {node}, 'd', 1, 2)",
    ),
}


def insert(table, node):
    columns, values = ROWS[table]
    return f"INSERT INTO telemetry.{table} {columns} VALUES {values.format(node=repr(node))}"


def test_every_table_that_nodes_write_is_held_to_it(fleet):
    """A table that is granted to exporters later has to be bound as well."""
    granted = fleet.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'telemetry'::regnamespace"
        " AND relkind IN ('r', 'p') AND has_table_privilege('fleet_exporter', oid, 'INSERT')"
    )

    # A trigger notes there which minutes to count anew; what a node writes there changes no row.
    assert {row["relname"] for row in granted} - {"dirty_minutes"} == set(ROWS)


@pytest.mark.parametrize("table", ROWS)
def test_node_writes_readings_of_itself_only(fleet, table):
    """Alpha's login cannot tell anything in beta's name; its own readings are taken."""
    fleet.rows(insert(table, "alpha"), user="alpha")

    with fleet_error(f"{table}_node_check", sqlstate="23514"):
        fleet.rows(insert(table, "beta"), user="alpha")
    assert fleet.rows(f"SELECT node FROM telemetry.{table}") == [{"node": "alpha"}]


def test_node_copies_readings_of_itself_only(fleet):
    """COPY is held to the same."""
    with (
        fleet_error("hardware_node_check", sqlstate="23514"),
        fleet.connection("alpha").cursor() as cursor,
        cursor.copy("COPY telemetry.hardware (time, node) FROM STDIN") as copy,
    ):
        copy.write_row(("2026-01-01 00:00:00+00", "beta"))


def test_owner_restores_readings_of_every_node(fleet):
    """Whoever owns the tables may write any node: a restore is no reading."""
    for node in ("alpha", "beta"):
        fleet.rows(insert("hardware", node))

    assert fleet.value("SELECT count(*) FROM telemetry.hardware") == 2
