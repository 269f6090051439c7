"""What is particular to the levels of plain PostgreSQL: partitions, and upkeep beside writers."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from fix_postgres import Database
from fleet_timescale.migrate import migrate

sys.path.insert(0, str(Path(__file__).parent))

from before import database_before

READING = "INSERT INTO telemetry.temperatures VALUES ({time}, {node!r}, 'cpu', 40)"
HOUR = "date_trunc('hour', now()) - interval '2 hours'"
MINUTES = "SELECT samples::int FROM analytics.temperatures_1m ORDER BY time"
PARTITIONS = (
    "SELECT partition::text AS name, ends_at FROM telemetry.partitions('temperatures')"
    " WHERE NOT is_default ORDER BY ends_at"
)


def read(time=HOUR, node="alpha"):
    return READING.format(time=time, node=node)


def upkeep(connection, after="0"):
    row = connection.execute(
        f"SELECT telemetry.upkeep(clock_timestamp() + interval '{after}') AS n"
    ).fetchone()
    return row["n"]


def values(connection, sql):
    return [next(iter(row.values())) for row in connection.execute(sql).fetchall()]


@pytest.fixture
def older(postgres):
    """A database as it was before there were levels."""
    with database_before(postgres, "create_levels") as connection:
        yield connection


def test_rows_from_before_stay_and_are_rolled_up(older):
    """A migration loses no row, whatever its time, and fills the levels from all of them."""
    for time in ("'2020-01-01'", HOUR, "now()", "now() + interval '40 days'"):
        older.execute(read(time))
    indexes = values(older, "SELECT indexname FROM pg_indexes WHERE schemaname = 'telemetry'")

    migrate(older)

    assert values(older, "SELECT count(*) FROM telemetry.temperatures") == [4]
    assert values(older, "SELECT sum(samples)::int FROM telemetry.temperatures_1m") == [2]
    assert values(older, "SELECT sum(samples)::int FROM analytics.temperatures_1h") == [2]
    after = values(older, "SELECT indexname FROM pg_indexes WHERE schemaname = 'telemetry'")
    assert set(indexes) <= set(after)


def test_rows_from_before_go_when_they_are_old(older):
    """Their partition is dropped as a whole once its last row is older than what is kept."""
    older.execute(read())
    migrate(older)

    upkeep(older, "3 days")

    assert values(older, "SELECT count(*) FROM telemetry.temperatures") == [0]
    assert "telemetry.temperatures_before" not in values(older, PARTITIONS)


def test_partitions_are_made_ahead(owner):
    """There is room for three days at any time, without a gap."""
    upkeep(owner, "20 days")

    ends = [row["ends_at"] for row in owner.execute(PARTITIONS).fetchall()]
    ahead = owner.execute("SELECT now() + interval '23 days' AS at").fetchone()["at"]
    assert ends[-1] >= ahead
    assert len(ends) == len(set(ends))


def test_clock_of_the_server_that_was_ahead_leaves_no_gap(owner):
    """Partitions of the present days are made although there are some of next year."""
    upkeep(owner, "400 days")

    upkeep(owner, "20 days")

    tomorrow = values(owner, "SELECT date_trunc('day', now(), 'UTC') + interval '21 days'")
    assert tomorrow[0] in [row["ends_at"] for row in owner.execute(PARTITIONS).fetchall()]


def test_rows_that_were_ahead_get_into_their_partition(owner):
    """A clock that ran ahead does not keep the partition of that day from being made."""
    owner.execute(read("now() + interval '9 days'"))

    upkeep(owner, "8 days")

    assert values(owner, "SELECT count(*) FROM telemetry.temperatures_default") == [0]
    assert values(owner, "SELECT count(*) FROM telemetry.temperatures") == [1]


def test_rows_of_a_long_transaction_are_counted(database, owner):
    """Rows that are committed after an upkeep that could not see them are in the next one."""
    with database.connect("alpha") as node, node.transaction():
        node.execute(read())
        owner.execute(read(node="beta"))
        upkeep(owner)
    upkeep(owner)

    nodes = "SELECT node FROM analytics.temperatures_1m ORDER BY node"
    assert values(owner, nodes) == ["alpha", "beta"]


def test_upkeep_does_not_wait_for_writers(database, owner):
    """What a writer uses is dropped later; the writer and the upkeep both go on."""
    owner.execute(read())
    owner.execute("SET statement_timeout = '5s'")
    first = values(owner, PARTITIONS)[0]
    with database.connect("alpha") as node, node.transaction():
        node.execute(read("now()"))
        upkeep(owner)
        upkeep(owner, "60 hours")
        assert values(owner, MINUTES) == [1]
        assert first in values(owner, PARTITIONS)

    upkeep(owner, "60 hours")

    assert first not in values(owner, PARTITIONS)


def test_writers_do_not_wait_for_upkeep(database, owner):
    """Nodes write to the minute that an upkeep folds, and while it makes partitions."""
    owner.execute(read())
    with owner.transaction(), database.connect("alpha") as node:
        upkeep(owner)
        upkeep(owner, "26 hours")
        node.execute("SET lock_timeout = '2s'")
        node.execute(read(f"{HOUR} + interval '5 seconds'"))
    upkeep(owner)

    assert values(owner, MINUTES) == [2]


def test_two_upkeeps_do_not_wait_for_each_other(database, owner):
    """The second leaves the work to the first."""
    owner.execute(read())
    with owner.transaction(), database.connect() as other:
        assert upkeep(owner) > 0
        other.execute("SET statement_timeout = '5s'")
        assert upkeep(other) == 0


def test_table_that_cannot_be_rolled_up_stops_no_other(owner):
    """The others are folded; what failed is done once it can be."""
    owner.execute(read())
    owner.execute(f"INSERT INTO telemetry.disks VALUES ({HOUR}, 'alpha', '/', 1, 2)")
    owner.execute("ALTER TABLE telemetry.disks_1m ADD CONSTRAINT full_up CHECK (false)")

    upkeep(owner)
    assert values(owner, MINUTES) == [1]
    owner.execute("ALTER TABLE telemetry.disks_1m DROP CONSTRAINT full_up")
    upkeep(owner)

    assert values(owner, "SELECT samples::int FROM analytics.disks_1m") == [1]


def test_rollups_have_a_column_for_each_number(owner):
    """A number that a table gets later is not forgotten in its levels."""
    numbers = values(owner, """
        SELECT a.attrelid::regclass || '.' || a.attname FROM pg_attribute a
        JOIN telemetry.levels l ON a.attrelid = format('telemetry.%I', l.table_name)::regclass
        WHERE l.rollup IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped
          AND a.atttypid IN ('float8'::regtype, 'int8'::regtype)
          AND NOT EXISTS (SELECT FROM telemetry.readings r
            WHERE r.table_name = l.table_name AND r.source = a.attname)""")  # fmt: skip

    assert numbers == []


def test_rows_just_before_a_migration_are_rolled_up(older):
    """A node that falls silent in the hour of the migration has that minute and hour too."""
    older.execute(read("now() - interval '1 second'"))
    migrate(older)

    upkeep(older, "2 hours")

    assert values(older, "SELECT samples::int FROM telemetry.temperatures_1m") == [1]
    assert values(older, "SELECT samples::int FROM telemetry.temperatures_1h") == [1]


def test_rows_that_were_never_rolled_up_are_not_dropped(older):
    """Where a migration was broken off while it filled the levels, the next one has the rows."""
    older.execute(read())
    migrate(older)
    older.execute("TRUNCATE telemetry.temperatures_1m, telemetry.temperatures_1h")
    older.execute("UPDATE telemetry.levels SET filled_at = NULL")

    upkeep(older, "3 days")
    older.execute("CALL telemetry.complete_levels()")
    upkeep(older, "3 days")

    assert values(older, "SELECT samples::int FROM telemetry.temperatures_1h") == [1]
    assert values(older, "SELECT count(*) FROM telemetry.temperatures") == [0]


def test_hour_waits_for_its_minutes(owner):
    """An hour whose minutes could not be folded is folded with them once they can be."""
    owner.execute(read())
    owner.execute("ALTER TABLE telemetry.temperatures_1m ADD CONSTRAINT full_up CHECK (false)")
    upkeep(owner)
    owner.execute("ALTER TABLE telemetry.temperatures_1m DROP CONSTRAINT full_up")

    upkeep(owner)

    assert values(owner, "SELECT samples::int FROM analytics.temperatures_1h") == [1]


def test_rows_of_days_without_partitions_are_neither_moved_nor_lost(owner):
    """After a week without upkeep the present day stays in the default partition, for speed."""
    add = "INSERT INTO telemetry.temperatures SELECT {}, 'alpha' || n, 'cpu', 40 FROM {} n"
    noon = "date_trunc('day', now(), 'UTC') + interval '20 days 12 hours'"
    owner.execute(add.format(noon, "generate_series(1, 10001)"))

    upkeep(owner, "20 days")

    assert values(owner, "SELECT count(*) FROM telemetry.temperatures_default") == [10001]
    starts = "SELECT starts_at FROM telemetry.parts('temperatures') ORDER BY 1 DESC NULLS LAST"
    tomorrow = values(owner, "SELECT date_trunc('day', now(), 'UTC') + interval '21 days'")
    assert tomorrow[0] in values(owner, starts)


def test_old_rows_of_the_default_partition_go_bit_by_bit(owner):
    """One upkeep never has so many to remove that it is cut off, and the next one too."""
    add = "INSERT INTO telemetry.temperatures SELECT {}, 'alpha' || n, 'cpu', 40 FROM {} n"
    owner.execute(add.format("now() + interval '10 days'", "generate_series(1, 20001)"))

    upkeep(owner, "20 days")
    assert values(owner, "SELECT count(*) FROM telemetry.temperatures") == [1]
    upkeep(owner, "20 days")

    assert values(owner, "SELECT count(*) FROM telemetry.temperatures") == [0]


def test_migration_waits_for_an_exporter_without_holding_it_up(older):
    """Rows that are being written when a migration comes are stored, and partitioned with all."""
    database = Database(older.info.port, older.info.dbname)
    with database.connect() as node, database.connect() as watcher:
        thread = threading.Thread(target=migrate, args=[older])
        with node.transaction():
            node.execute(f"INSERT INTO telemetry.hardware (time, node) VALUES ({HOUR}, 'alpha')")
            thread.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = {}::regclass"
            while values(watcher, waiting.format("'telemetry.hardware'")) == [0]:
                assert thread.is_alive()
            node.execute("SET LOCAL lock_timeout = '2s'")
            node.execute(f"INSERT INTO telemetry.disks VALUES ({HOUR}, 'alpha', '/', 1, 2)")
        thread.join()

        assert values(watcher, "SELECT samples::int FROM analytics.hardware_1m") == [1]
        assert values(watcher, "SELECT samples::int FROM analytics.disks_1m") == [1]


def test_rows_written_while_the_present_partition_is_made_are_stored(database, owner):
    """Who writes after a week without upkeep gets into the partition that is being made."""
    add = (
        "SELECT telemetry.add_partitions('temperatures', 1, clock_timestamp() + interval '20 days')"
    )
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with database.connect("alpha") as node, database.connect() as watcher:
        row = read("now() + interval '20 days'")
        thread = threading.Thread(target=node.execute, args=[row])
        with owner.transaction():
            owner.execute(add)
            thread.start()
            while values(watcher, waiting) == [0]:
                assert thread.is_alive()
        thread.join()

    assert values(owner, "SELECT count(*) FROM telemetry.temperatures") == [1]
    assert values(owner, "SELECT count(*) FROM telemetry.temperatures_default") == [0]


def test_rows_of_a_table_that_was_small_when_analysed_are_counted(owner):
    """Statistics taken while the first page was filling say nothing of the rows that came later."""
    insert = (
        "INSERT INTO telemetry.network (time, node, device, receive_bytes_total, "
        "transmit_bytes_total) SELECT now() - n * interval '1 s', 'alpha', 'eth0', n, n "
        "FROM generate_series(%s::integer, %s) n"
    )
    parts = "SELECT sum(p.rows)::integer AS rows FROM telemetry.parts('network') p"
    owner.execute(insert, [1, 3])
    owner.execute("ANALYZE telemetry.network")

    owner.execute(insert, [4, 1000])

    assert owner.execute(parts).fetchone()["rows"] == 1000
