"""The dashboard "Configuration" tells what holds for whom, how it came so, and who runs it."""

from __future__ import annotations

import pytest


@pytest.fixture
def ask(panels_of, query):
    """Run the SQL of a panel for a scope and two versions."""
    panels = panels_of("fleet-configuration")

    def run(title, scope="fleet", older="0", newer="newest"):
        values = {"scope": [scope], "older": [older], "newer": [newer]}
        return query(panels[title]["targets"][0]["rawSql"], values)

    return run


def temperature(rows):
    (row,) = (row for row in rows if row["Setting"] == "temperature")
    return tuple(row[key] for key in ("Value", "Comes from"))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("fleet", ("0.7", "default")),
        ("node:alpha", ("0.9", "node:alpha")),
        ("node:beta", ("0.7", "default")),
    ],
)
def test_value_in_force_is_the_narrowest(ask, scope, expected):
    """The fleet has a default; alpha has a value of its own."""
    assert temperature(ask("How conversations are written", scope)) == expected


def test_role_holds_between_fleet_and_machine(ask, owner):
    """A machine of the role runs the role's value, unless it has one of its own."""
    owner.execute("SELECT fleet.set_config('fleet', 'temperature', 0.5, 'ada', 'x')")
    owner.execute("SELECT fleet.set_config('role:generate', 'temperature', 0.6, 'ada', 'x')")

    told = {
        scope: temperature(ask("How conversations are written", scope))
        for scope in ("fleet", "role:generate", "role:quality", "node:alpha", "node:beta")
    }

    assert told == {
        "fleet": ("0.5", "fleet"),
        "role:generate": ("0.6", "role:generate"),
        "role:quality": ("0.5", "fleet"),
        "node:alpha": ("0.9", "node:alpha"),
        "node:beta": ("0.6", "role:generate"),
    }


def test_panels_agree_with_what_machines_are_told(ask, owner, database):
    """What the page says of alpha is what fleet.node_settings gives alpha."""
    owner.execute("SELECT fleet.set_config('role:quality', 'turn_tries_max', 5, 'ada', 'x')")
    with database.connect("alpha") as alpha:
        told = alpha.execute("SELECT settings FROM fleet.node_settings()").fetchone()["settings"]

    titles = ("How conversations are written", "Thresholds, heat and throttle", "Queue and network")
    shown = {row["Setting"]: row["Value"] for title in titles for row in ask(title, "node:alpha")}

    assert shown
    assert shown == {key: str(told[key]) for key in shown}


def test_only_what_can_be_set_is_shown(ask):
    """No row has a button that would be refused for its scope."""
    keys = {
        scope: {row["key"] for row in ask("Thresholds, heat and throttle", scope)}
        for scope in ("fleet", "node:alpha")
    }

    assert {"cpu_hot_celsius", "work_throttle_factor"} <= keys["fleet"]
    assert "cpu_hot_celsius" not in keys["node:alpha"]
    assert "work_throttle_factor" in keys["node:alpha"]


def test_version_is_that_of_the_scope(ask, owner):
    """What Set sends along is the newest version of this scope, also of a value taken back."""
    version = owner.execute(
        "SELECT fleet.rollback_config('node:alpha', 'temperature', 0, 'ada', 'x') AS version"
    ).fetchone()["version"]

    rows = ask("How conversations are written", "node:alpha")
    (row,) = (row for row in rows if row["key"] == "temperature")

    assert (row["Comes from"], row["scope"], row["version"]) == (
        "default",
        "node:alpha",
        str(version),
    )


def test_history_leads_back(ask, owner):
    """Each row has its own version to go to, and the newest of its setting to replace."""
    newer = owner.execute(
        "SELECT fleet.set_config('node:alpha', 'temperature', 1.1, 'bob', 'warmer') AS version"
    ).fetchone()["version"]

    rows = [row for row in ask("History") if row["key"] == "temperature"]

    assert [(row["Before"], row["Value"], row["State"], row["Who"]) for row in rows] == [
        ("0.9", "1.1", "in force", "bob"),
        ("not set", "0.9", "replaced", "ada"),
    ]
    assert {row["version"] for row in rows} == {str(newer)}
    assert rows[1]["to"] == str(rows[1]["Version"])


def test_difference_is_that_of_the_database(ask, owner):
    """The same settings as fleet.diff_config names, for any two versions."""
    owner.execute("SELECT fleet.set_config('fleet', 'temperature', 0.8, 'ada', 'x')")
    owner.execute("SELECT fleet.set_config('fleet', 'temperature', 0.7, 'ada', 'x')")
    versions = [
        row["version"] for row in owner.execute("SELECT version FROM analytics.config_history")
    ]
    for older in (0, *versions):
        for newer in versions:
            told = owner.execute("SELECT * FROM fleet.diff_config(%s, %s)", [older, newer])
            shown = ask("What differs between two versions", older=str(older), newer=str(newer))
            assert [(row["Setting"], row["For"], row["Version"]) for row in shown] == [
                (row["key"], row["scope"], row["version"]) for row in told
            ]


def test_machines_that_lag_are_told(ask, owner):
    """Alpha is behind until it says that it runs the newest; beta never told."""
    owner.execute("UPDATE fleet.nodes SET settings_version = 1 WHERE node = 'alpha'")
    behind = {row["Node"]: row["Standing"] for row in ask("What each machine runs")}
    (before,) = ask("Newest version, and who runs it")
    owner.execute("UPDATE fleet.nodes SET settings_version = %s WHERE node = 'alpha'",
                  [before["version"]])  # fmt: skip
    (after,) = ask("Newest version, and who runs it")

    assert behind == {"alpha": f"{before['version'] - 1} behind", "beta": "never told"}
    assert (before["run it"], before["behind"]) == (0, 1)
    assert (after["run it"], after["behind"]) == (1, 0)


def test_weights_are_shares_of_all(ask, owner):
    """Asked shares add up to one; what was accepted in a day is billing alone."""
    owner.execute("SELECT fleet.set_config('fleet', 'scenario_weight_complaint', 3, 'ada', 'x')")
    rows = {row["key"]: row for row in ask("Scenario weights: asked and effective")}

    assert sum(row["Asked"] for row in rows.values()) == pytest.approx(1)
    assert rows["scenario_weight_complaint"]["Value"] == 3
    assert rows["scenario_weight_healthcare_billing"]["Effective"] == 1


def test_models_of_a_machine(ask):
    """What its server lists, and which of them it writes with."""
    assert [(row["Node"], row["Model"], row["Use"]) for row in ask("Models of the machines")] == [
        ("alpha", "tiny", "in use")
    ]


def test_wishes_for_models_are_told(ask):
    """Who wanted which model, and how far that is."""
    (row,) = ask("Models that people wanted")

    assert (row["Node"], row["Model"], row["State"], row["Who"]) == (
        "alpha",
        "large",
        "requested",
        "ada",
    )
