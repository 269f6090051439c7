"""The dashboard "Node" tells the truth of the machine that is chosen, and says what it lacks."""

from __future__ import annotations

import pytest

ALPHA, BETA = {"node": ["alpha"]}, {"node": ["beta"]}


@pytest.fixture
def panels(panels_of):
    return panels_of("fleet-node")


@pytest.fixture
def ask(panels, query):
    """Run the SQL of a panel for a node."""
    return lambda title, values=ALPHA: query(panels[title]["targets"][0]["rawSql"], values)


@pytest.fixture
def measure(panels, prometheus):
    """Run a PromQL query of a panel: {value of a label: number}."""

    def run(title, label, target=0, values=ALPHA):
        rows = prometheus(panels[title]["targets"][target]["expr"], values)
        return {row["metric"].get(label): float(row["value"][1]) for row in rows}

    return run


def test_each_machine_has_its_own_state(ask):
    """Alpha speaks; beta never came and is off on purpose."""
    assert (ask("State"), ask("State", BETA)) == ([{"state": "online"}], [{"state": "off"}])
    assert ask("Last heartbeat", BETA) == [{"ago": None}]


def test_what_is_written_now_is_what_the_machine_holds(ask, owner):
    """One conversation, with its turns and the job that asked for it; another machine has none."""
    held = owner.execute(
        "SELECT t.task_id, t.job_id, count(u.*) AS turns FROM fleet.tasks t"
        " JOIN fleet.turns u USING (task_id)"
        " WHERE t.node = 'alpha' AND t.lease_until IS NOT NULL GROUP BY t.task_id"
    ).fetchall()

    rows = ask("Writes now")

    assert [(row["task_id"], row["job_id"]) for row in rows] == [
        (row["task_id"], row["job_id"]) for row in held
    ]
    assert rows[0]["Turns"].startswith(f"{held[0]['turns']} of ")
    assert rows[0]["Job"] == "of 7 by tests"
    assert ask("Writes now", BETA) == []


def test_conversations_are_those_of_the_machine(ask, owner):
    """The counts equal those of the tables, and another machine's are 0."""
    wanted = owner.execute(
        "SELECT count(*) FILTER (WHERE state = 'accepted') AS accepted,"
        " count(*) FILTER (WHERE state = 'rejected') AS rejected, count(*) AS all,"
        " (SELECT count(*) FROM fleet.task_failures WHERE node = 'alpha') AS failed"
        " FROM fleet.conversations WHERE node = 'alpha'"
    ).fetchone()

    [alpha], [beta] = ask("Conversations"), ask("Conversations", BETA)

    assert alpha == {
        "accepted": wanted["accepted"],
        "rejected": wanted["rejected"],
        "failed tries": wanted["failed"],
        "all": wanted["all"],
    }
    assert wanted["accepted"] == 3
    assert set(beta.values()) == {0}


def test_speed_is_limited_by_what_holds(measure):
    """The share that is allowed stands beside what limits it; what does not hold is not named."""
    assert measure("Speed allowed", "limit") == {"heat": 0.5}


def test_every_sensor_has_a_row(measure):
    """The sensors of processor and cards are told apart, and never averaged."""
    assert measure("CPU and GPU sensors", "sensor") == {
        "CPU package": 71,
        "CPU core0": 82,
        "GPU 0": 64,
    }
    assert measure("Other sensors", "sensor") == {"nvme": 75}


@pytest.mark.parametrize("title", ["CPU and GPU sensors", "Other sensors"])
def test_highest_is_no_average(title, panels):
    """Both columns of a sensor are maxima."""
    for target in panels[title]["targets"]:
        assert "avg" not in target["expr"]


def test_mode_over_time_is_the_present_one(measure):
    """Throttling is the third word of the timeline."""
    assert measure("Mode over time", "node") == {"alpha": 3}


def test_disk_is_full_when_its_line_says(ask):
    """40 GiB at one GiB an hour last 40 hours: within a week."""
    [row] = ask("Disk free, and until when")

    assert row["Full in"] == pytest.approx(40 * 3600, rel=0.01)
    assert (row["Share"], row["Forecast"]) == (pytest.approx(0.4), "within a week")


def test_disk_forecast_waits_for_an_hour(ask, owner):
    """Ten minutes of a new machine are no trend."""
    owner.execute("DELETE FROM telemetry.disks_1m WHERE time < now() - interval '10 minutes'")

    [row] = ask("Disk free, and until when")

    assert (row["Full in"], row["Forecast"]) == (None, "too early to tell")


def test_a_disk_that_empties_is_never_full(ask, owner):
    """A line that rises has no end."""
    owner.execute("UPDATE telemetry.disks_1m SET free_bytes_avg = 80 * 2^30 - free_bytes_avg")

    [row] = ask("Disk free, and until when")

    assert (row["Full in"], row["Forecast"]) == (None, "not within a year")


def test_a_machine_without_card_says_so(panels, ask):
    """No row, and a text that says why."""
    assert ask("Graphics cards", BETA) == []
    assert "no GPU" in panels["Graphics cards"]["fieldConfig"]["defaults"]["noValue"]


def test_a_card_tells_what_it_can(ask):
    """What the card did not tell is NULL, not 0."""
    [row] = ask("Graphics cards")

    assert (row["GPU"], row["Temperature"], row["State"]) == ("0", 64, "there")
    assert row["Power"] is None


def test_a_lost_card_is_named(ask, owner):
    """Its row stays, without readings."""
    owner.execute(
        "UPDATE telemetry.gpu SET is_up = false, temperature_celsius = NULL WHERE node = 'alpha'"
    )

    [row] = ask("Graphics cards")

    assert (row["State"], row["Temperature"]) == ("lost", None)


def test_bandwidth_is_told_both_ways(ask):
    """What alpha sends to beta and gets from it; the slower way gives the word."""
    [row] = ask("Bandwidth to and from other nodes")

    assert (row["Peer"], row["Sends to it"], row["Gets from it"]) == ("beta", 6e6, 20e6)
    assert row["Line"] == "fair"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("throughput_bytes_per_second = NULL", "unmeasured"),
        ("throughput_bytes_per_second = 1e6", "slow"),
        ("throughput_bytes_per_second = 13e6", "fast"),
        ("state = 'unreachable'", "broken"),
    ],
)
def test_a_line_has_a_word(change, word, ask, owner):
    """The word says without colour how good the line is."""
    owner.execute(f"UPDATE fleet.peer_pairs SET {change}")

    [row] = ask("Bandwidth to and from other nodes")

    assert row["Line"] == word


def test_commands_say_how_they_ended(ask):
    """Who asked, why, and what came of it."""
    [row] = ask("Commands")

    assert (row["Command"], row["State"], row["By"]) == ("restart", "done", "ada")
    assert (row["Reason"], row["Result"]) == ("new driver", "the worker runs again")
    assert 0 <= row["Begun after"] <= row["Ended after"]


def test_settings_that_lag_are_told(ask, owner):
    """A machine that has not taken the newest version is behind; one that has is not."""
    newest = owner.execute("SELECT max(version) AS newest FROM fleet.config").fetchone()["newest"]
    assert ask("Worker and settings")[0]["Settings"] == "behind"

    owner.execute("UPDATE fleet.nodes SET settings_version = %s", [newest])

    assert ask("Worker and settings")[0]["Settings"] == "current"


def test_blind_sensors_are_told_from_seeing_ones(measure):
    """A family that cannot be read is 0."""
    assert measure("Sensor families", "collector") == {"cpu": 1, "gpu": 0}


@pytest.mark.parametrize(("hours", "highest"), [(3, 81), (72, None)])
def test_history_takes_the_level_of_its_range(hours, highest, panels, query):
    """Minutes on short ranges; on long ones hours, of which there is none yet."""
    sql = panels["Highest temperatures, kept for good"]["targets"][0]["rawSql"]

    rows = query(sql, ALPHA, hours=hours)

    assert [row["CPU"] for row in rows] == ([highest] if highest else [])


def test_alerts_of_another_machine_are_not_shown(panels, prometheus):
    """Alpha is hot; beta is calm, which Prometheus says itself."""
    expr = panels["Firing alerts of this node"]["targets"][0]["expr"]
    names = [prometheus(expr, values)[0]["metric"]["alertname"] for values in (ALPHA, BETA)]

    assert names == ["CpuHot", "nothing fires"]
