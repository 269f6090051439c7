"""A past in a real database: each level holds what it would, and all sums agree."""

from __future__ import annotations

import math

import pytest
from fix_postgres import copy_database
from fleet_timescale.connection import connect
from fleet_twin.history import command
from fleet_twin.history.fill import HistoryError, fill_history
from fleet_twin.machine.kinds import list_places

DAYS = 3
TABLES = ("hardware", "gpu", "disks", "disk_io", "temperatures", "network", "llm_requests")
# One gauge or counter of each.
READINGS = {
    "hardware": "cpu_temperature_celsius",
    "gpu": "energy_joules_per_second",
    "disks": "free_bytes",
    "disk_io": "busy_ratio",
    "temperatures": "temperature_celsius",
    "network": "receive_bytes_per_second",
    "generation": "duration_seconds",
}


def empty(database):
    """Take out the real nodes of the template."""
    with database.connect() as owner:
        owner.execute("DELETE FROM fleet.nodes")


@pytest.fixture(scope="module")
def past(database_template):
    """The database of a twin of five with a past of three days, and what was said meanwhile."""
    with copy_database(database_template) as database:
        empty(database)
        said = []
        filled = fill_history(database.connect, DAYS, list_places(5), say=said.append)
        with database.connect() as owner:
            # What the last minutes lack is upkeep's, as with live readings.
            owner.execute("SELECT telemetry.upkeep()")
            yield Past(database, owner, filled, said)


class Past:
    def __init__(self, database, owner, filled, said):
        self.database, self.owner, self.filled, self.said = database, owner, filled, said

    def rows(self, sql, *values):
        return [tuple(row.values()) for row in self.owner.execute(sql, values or None).fetchall()]

    def value(self, sql, *values):
        return self.rows(sql, *values)[0][0]


@pytest.fixture
def fresh(database):
    """An empty database of a twin."""
    empty(database)
    return database


def is_same(one, other):
    """Equal, floats but for the order in which they were added up."""
    if isinstance(one, float) and other is not None:
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


@pytest.mark.parametrize("table", TABLES)
def test_minutes_are_the_readings(past, table):
    """Where readings are kept, folding them anew gives each minute as it stands."""
    key = past.value("SELECT telemetry.key_columns(%s)", table)
    columns = past.value("SELECT telemetry.minute_columns(%s)", table)
    rollup = past.value("SELECT rollup FROM telemetry.levels WHERE table_name = %s", table)
    kept = "'-infinity'" if table == "llm_requests" else f"'{past.filled.span.raw_begin}'"
    folded = (
        f"SELECT date_bin('1 minute', time, '2000-01-01 00:00:00+00') AS time{key}, {columns}"
        f" FROM telemetry.{table} GROUP BY 1{key}"
    )
    names = past.value(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0",
        f"telemetry.{rollup}_1m",
    )
    stored = f"SELECT {names} FROM telemetry.{rollup}_1m WHERE time >= {kept}"

    order = f" ORDER BY time{key}"
    again, held = past.rows(folded + order), past.rows(stored + order)

    assert len(again) == len(held) > 100
    for one, other in zip(again, held, strict=True):
        assert all(map(is_same, one, other))


def test_backslash_of_a_mount_survives(past):
    r"""C:\ goes as it stands through the array and through COPY."""
    mounts = past.rows("SELECT DISTINCT mount FROM telemetry.disks_1m WHERE node = 'gamer-1'")

    assert mounts == [("C:\\",)]


@pytest.mark.parametrize("rollup", READINGS)
def test_hours_are_the_minutes(past, rollup):
    """Samples, sums and bounds of each hour that has ended are those of its minutes."""
    reading = READINGS[rollup]
    hour = f"date_trunc('hour', '{past.filled.span.end}'::timestamptz)"
    sums = (
        "SELECT sum(samples)::bigint AS samples, sum({0}_avg * samples) AS total,"
        " min({0}_min) AS lowest, max({0}_max) AS highest FROM telemetry.{1} WHERE time < {2}"
    )

    (of_minutes,) = past.rows(sums.format(reading, f"{rollup}_1m", hour))
    (of_hours,) = past.rows(sums.format(reading, f"{rollup}_1h", hour))

    assert all(map(is_same, of_hours, of_minutes))
    assert of_hours[0] > 0


@pytest.mark.parametrize("table", [table for table in TABLES if table != "llm_requests"])
def test_readings_are_kept_for_a_day_and_minutes_for_all(past, table):
    """Older readings than 26 hours are not there; each node that is always on has every minute."""
    age = past.value(f"SELECT now() - min(time) FROM telemetry.{table}")
    minutes = past.value(
        f"SELECT count(DISTINCT time) FROM telemetry.{table}_1m WHERE node = 'desktop-1'"
    )

    assert 24 < age.total_seconds() / 3600 <= 26
    span = past.filled.span
    assert minutes == (span.end - span.begin).total_seconds() / 60


def test_minutes_lie_within_their_bounds(past):
    """No average beyond its lowest and highest; a share is none above 1."""
    assert past.rows(
        "SELECT 1 FROM telemetry.hardware_1m WHERE NOT cpu_utilization_ratio_avg"
        " BETWEEN cpu_utilization_ratio_min AND cpu_utilization_ratio_max"
        " OR cpu_utilization_ratio_max > 1 OR cpu_temperature_celsius_max > 110"
    ) == []  # fmt: skip


def test_no_seam_between_the_levels(past):
    """The minutes before and after the first kept reading tell of the same machine."""
    rows = past.rows(
        "SELECT avg(cpu_temperature_celsius_avg) FILTER (WHERE time < %(at)s) AS before,"
        " avg(cpu_temperature_celsius_avg) FILTER (WHERE time >= %(at)s) AS after"
        " FROM telemetry.hardware_1m WHERE time BETWEEN %(at)s - interval '5 minutes'"
        " AND %(at)s + interval '5 minutes' GROUP BY node".replace(
            "%(at)s", f"'{past.filled.span.raw_begin}'::timestamptz"
        )
    )

    both = [(before, after) for before, after in rows if before and after]
    assert len(both) >= 4
    assert all(abs(before - after) < 25 for before, after in both)


def test_partitions_hold_the_minutes(past):
    """Nothing lies in the default partition, where it would be looked for in vain and for long."""
    assert past.value("SELECT count(*) FROM telemetry.hardware_1m_default") == 0


def test_conversations_are_counted(past):
    """Jobs, nodes and Prometheus' counters tell as many as there are."""
    count = past.value("SELECT count(*) FROM analytics.conversations")

    assert count == past.filled.conversations > 20
    assert past.value("SELECT sum(done + rejected) FROM analytics.jobs") == count
    assert past.value("SELECT sum(jobs_done) FROM analytics.nodes") == count
    counted = "SELECT sum(value) FROM fleet.node_counters WHERE name = %s"
    assert past.value(counted, "fleet_conversations_total") == count
    calls = past.value("SELECT count(*) FROM telemetry.llm_requests")
    assert past.value(counted, "fleet_llm_requests_total") == calls
    assert past.value(counted, "fleet_llm_request_duration_seconds_count") == calls
    buckets = "SELECT sum(value) FROM fleet.node_counters WHERE labels->>'le' = '+Inf'"
    assert past.value(buckets) == 2 * calls


def test_tokens_of_conversations_are_those_of_their_calls(past):
    """And each task is done, with its changes of state."""
    assert past.value("SELECT sum(completion_tokens) FROM fleet.conversations") == past.value(
        "SELECT sum(completion_tokens) FROM telemetry.llm_requests"
    )
    tasks = past.value("SELECT count(*) FROM fleet.tasks WHERE state = 'done'")
    assert past.value("SELECT count(*) FROM telemetry.task_transitions") == 3 * tasks


def test_scrubbed_words_have_no_personal_value(past):
    """Names and numbers of the persona are masked wherever they are said."""
    leaks = past.value(
        "SELECT count(*) FROM fleet.turns u JOIN fleet.tasks t USING (task_id),"
        " jsonb_array_elements_text(t.persona->'personal') p"
        " WHERE position(t.persona->'values'->>p IN u.text_scrubbed) > 0"
    )

    assert leaks == 0
    assert past.value("SELECT count(*) FROM fleet.turns WHERE text_scrubbed LIKE '%[PII]%'") > 50


def test_progress_is_told(past):
    """Each table and level, and the conversations of each day."""
    assert any(text.startswith("gpu: readings to") for text in past.said)
    assert any(text.startswith("hardware: minutes to") for text in past.said)
    assert any(text.startswith("conversations: ") for text in past.said)


def test_second_time_is_refused(past):
    """With what to do; nothing is written twice."""
    with pytest.raises(HistoryError, match="filled before"):
        fill_history(past.database.connect, DAYS, list_places(5))


def test_table_of_the_plan_is_gone(past):
    """What was only needed meanwhile."""
    assert past.value("SELECT to_regclass('telemetry.twin_stretches')") is None


def test_real_fleet_is_refused(database):
    """A database with any machine that is none of a twin keeps what it has."""
    with pytest.raises(HistoryError, match="alpha is no machine of a twin"):
        fill_history(database.connect, 1, list_places(1))


def test_days_have_bounds(fresh):
    """Named with the value."""
    with pytest.raises(HistoryError, match="between 1 and 400, not 0"):
        fill_history(fresh.connect, 0, list_places(1))


def test_past_ends_where_live_readings_begin(fresh):
    """What a running twin has written by then stays as it is."""
    with fresh.connect() as owner:
        owner.execute(
            "INSERT INTO telemetry.hardware (time, node, cpu_utilization_ratio)"
            " VALUES (date_trunc('minute', now()) - interval '7 minutes', 'gamer-1', 0.5)"
        )
        filled = fill_history(fresh.connect, 1, list_places(1))
        rows = owner.execute(
            "SELECT count(*) FILTER (WHERE time >= %s) AS live, max(time) AS last"
            " FROM telemetry.hardware WHERE node = 'gamer-1'",
            [filled.span.end],
        ).fetchone()

    assert rows["live"] == 1
    assert rows["last"] == filled.span.end


def test_command_fills_the_machines_that_there_are(fresh, capsys):
    """All of them, or the first so many; more than there are is refused."""
    with fresh.connect() as owner:
        for place in list_places(2):
            owner.execute(
                "INSERT INTO fleet.nodes (node, node_id) VALUES (%s, gen_random_uuid())",
                [place.node],
            )
    with pytest.raises(HistoryError, match="between 1 and 2, not 3"):
        command.main(["--nodes", "3"], fresh.dsn())

    assert command.main(["--days", "1", "--nodes", "1"], fresh.dsn()) == 0

    assert "filled 1 days of 1 machines" in capsys.readouterr().out
    with connect(fresh.dsn(), "tests") as owner:
        nodes = owner.execute("SELECT DISTINCT node FROM telemetry.hardware_1h").fetchall()
    assert [row["node"] for row in nodes] == ["gamer-1"]


def test_command_refuses_a_home_without_a_twin(fresh):
    """With how to make one."""
    with pytest.raises(HistoryError, match="--twin 20"):
        command.main([], fresh.dsn())
