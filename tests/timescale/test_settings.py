"""Configuration, the state of the fleet, and who leads."""

from __future__ import annotations

import uuid

import pytest
from fix_fleet import fleet_error
from psycopg.types.json import Jsonb


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (("fleet", "colour", 1), ("unknown setting colour", "Known: certificate_seconds_min, ")),
        (("fleet", "temperature", 3), ("must be between 0 and 2, not 3", "Sampling temperature")),
        (("fleet", "temperature", "NaN"), ("not NaN", "Sampling temperature")),
        (
            ("fleet", "turn_tries_max", 1.5),
            ("must be a whole number between 0 and 20 tries, not 1.5",),
        ),
        (("fleet", "generation_method", 1), ("one of auto, line_by_line, one_shot, not 1",)),
        (("fleet", "hub_token", 1), ("hub_token looks like a secret", "Secrets are files")),
        (
            ("node:alpha", "cpu_hot_celsius", 70),
            ("cannot be set for node:alpha", "set for: fleet."),
        ),
        (("galaxy", "temperature", 1), ("unknown scope galaxy", "Use fleet, role:generate")),
        (("node:gamma", "temperature", 1), ("unknown scope node:gamma", "an enrolled node")),
    ],
)
def test_bad_value_names_itself_and_the_remedy(fleet, change, parts):
    """A refused change says what is wrong and what is possible; nothing changes."""
    scope, key, value = change

    with fleet_error(*parts):
        fleet.rows(
            "SELECT fleet.set_config(%s, %s, %s::float, 'ada', 'why')",
            scope, key, value, user="fleet_control",
        )  # fmt: skip

    assert fleet.value("SELECT count(*) FROM fleet.config") == 0


def test_narrowest_scope_wins(fleet):
    """node before role before fleet before default, for the node that it is about."""
    fleet.rows("UPDATE fleet.nodes SET roles = '{quality}' WHERE node = 'beta'")
    seen = []
    for scope, value in (("fleet", 0.1), ("role:generate", 0.2), ("node:alpha", 0.3)):
        fleet.set("temperature", value, scope)
        seen.append(
            [
                fleet.rows("SELECT * FROM fleet.node_settings()", user=node)[0]["settings"]
                for node in ("alpha", "beta")
            ]
        )

    assert [[s["temperature"] for s in pair] for pair in seen] == [
        [0.1, 0.1],
        [0.2, 0.1],
        [0.3, 0.1],
    ]
    assert fleet.value("SELECT fleet.setting('temperature')") == 0.1
    assert fleet.value("SELECT fleet.setting('lease_seconds')") == 30


def test_newer_of_two_roles_wins(fleet):
    """A worker of both roles runs the value that was set last."""
    fleet.set("temperature", 0.5, "role:quality")
    fleet.set("temperature", 0.6, "role:generate")

    assert fleet.value("SELECT fleet.setting('temperature', 'alpha')") == 0.6


def test_each_change_is_a_version(fleet):
    """The old value stays with its end; the new one has a higher version."""
    first, second = fleet.set("temperature", 0.5), fleet.set("temperature", 0.6)

    rows = fleet.rows(
        "SELECT version, value, valid_to IS NULL AS is_current FROM fleet.config ORDER BY version"
    )

    assert rows == [
        {"version": first, "value": 0.5, "is_current": False},
        {"version": second, "value": 0.6, "is_current": True},
    ]
    assert fleet.rows("SELECT * FROM fleet.node_settings()", user="alpha")[0]["version"] == second


def set_config(fleet, key, value, scope="fleet", version=None):
    return fleet.value(
        "SELECT fleet.set_config(%s, %s, %s, 'ada', 'why', %s)",
        scope, key, Jsonb(value), version, user="fleet_control",
    )  # fmt: skip


def roll_back(fleet, key, to=None, scope="fleet"):
    return fleet.value(
        "SELECT fleet.rollback_config(%s, %s, %s, 'ada', 'oops')",
        scope, key, to, user="fleet_control",
    )  # fmt: skip


def test_choice_is_set_by_sql_as_it_is_written(fleet):
    """A text takes the choices of its setting, also in psql, and reaches the node as a text."""
    fleet.rows(
        "SELECT fleet.set_config('role:generate', 'generation_method', 'one_shot', 'a', 'b')"
    )

    (row,) = fleet.rows("SELECT * FROM fleet.node_settings()", user="alpha")
    assert row["settings"]["generation_method"] == "one_shot"
    with fleet_error("one of auto, line_by_line, one_shot, not two_shot"):
        fleet.rows("SELECT fleet.set_config('fleet', 'generation_method', 'two_shot', 'a', 'b')")


def test_effective_values_name_their_origin(fleet):
    """For a scope each value is its own, that of a wider scope, or the default."""
    set_config(fleet, "temperature", "0.5")
    set_config(fleet, "turn_tries_max", 5, "role:generate")
    set_config(fleet, "turn_tries_max", 7, "node:alpha")
    sql = "SELECT value, origin FROM fleet.effective_config(%s) WHERE key = %s"
    ask = lambda *about: tuple(fleet.rows(sql, *about)[0].values())  # noqa: E731

    assert ask("node:alpha", "turn_tries_max") == (7, "node:alpha")
    assert ask("node:beta", "turn_tries_max") == (5, "role:generate")
    assert ask("role:generate", "turn_tries_max") == (5, "role:generate")
    assert ask("fleet", "turn_tries_max") == (3, "default")
    assert ask("role:generate", "temperature") == (0.5, "fleet")
    with fleet_error("unknown scope galaxy"):
        ask("galaxy", "temperature")


def test_secret_comes_into_no_catalogue(fleet):
    """Nobody can add a setting that looks like a secret either."""
    with fleet_error("settings_no_secret"):
        fleet.rows(
            "INSERT INTO fleet.settings (key, description, default_value, kind)"
            " VALUES ('smtp_password', 'x', '\"x\"', 'text')"
        )


def test_edit_of_an_older_version_is_refused(fleet):
    """Who changes what somebody else has changed meanwhile is told; 0 stands for never set."""
    first = set_config(fleet, "temperature", 0.5, version=0)
    with fleet_error(f"has version {first} by now, not 0", "Look at the newer value"):
        set_config(fleet, "temperature", 0.6, version=0)

    assert set_config(fleet, "temperature", 0.6, version=first) > first


def test_scope_is_given_back(fleet):
    """Null lets the next wider scope hold again, and is a version too."""
    set_config(fleet, "temperature", 0.5)
    set_config(fleet, "temperature", 0.9, "node:alpha")

    set_config(fleet, "temperature", None, "node:alpha")

    assert fleet.value("SELECT fleet.setting('temperature', 'alpha')") == 0.5
    history = fleet.rows(
        "SELECT value, value_before FROM analytics.config_history WHERE scope = 'node:alpha'"
        " ORDER BY version"
    )
    assert history == [{"value": 0.9, "value_before": None}, {"value": None, "value_before": 0.9}]
    assert fleet.value("SELECT count(*) FROM analytics.config WHERE scope = 'node:alpha'") == 0


def test_rollback_is_a_new_version(fleet):
    """Without a version the value before holds again; with one, that; 0 is the default."""
    first = set_config(fleet, "temperature", 0.5)
    set_config(fleet, "temperature", 0.6)
    in_force = "SELECT fleet.setting('temperature')"

    newest = roll_back(fleet, "temperature")
    assert fleet.value(in_force) == 0.5
    assert (
        fleet.value("SELECT reason FROM analytics.config_history WHERE version = %s", newest)
        == f"back to version {first}: oops"
    )
    roll_back(fleet, "temperature", 0)
    assert fleet.value(in_force) == 0.7
    with fleet_error("temperature has no version 99 for fleet", f"Known: 0 (not set), {first}, "):
        roll_back(fleet, "temperature", 99)
    with fleet_error("was never set for node:beta"):
        roll_back(fleet, "temperature", scope="node:beta")


def test_diff_of_two_versions_and_times(fleet):
    """Each key and scope that differs, once, with both values; either order; times are versions."""
    start = fleet.value("SELECT clock_timestamp()")
    first = set_config(fleet, "temperature", 0.5)
    between = fleet.value("SELECT clock_timestamp()")
    set_config(fleet, "temperature", 0.6)
    last = set_config(fleet, "turn_tries_max", 5, "node:alpha")
    set_config(fleet, "lease_seconds", 20)
    newest = set_config(fleet, "lease_seconds", None)
    diff = "SELECT key, scope, before, after FROM fleet.diff_config(%s, %s)"

    assert fleet.rows(diff, newest, 0) == [
        {"key": "temperature", "scope": "fleet", "before": None, "after": 0.6},
        {"key": "turn_tries_max", "scope": "node:alpha", "before": None, "after": 5},
    ]
    assert fleet.rows(diff, first, last)[0] == {
        "key": "temperature", "scope": "fleet", "before": 0.5, "after": 0.6,
    }  # fmt: skip
    at = "SELECT fleet.config_version(%s)"
    assert [fleet.value(at, time) for time in (start, between)] == [0, first]


def test_every_setting_has_a_row_for_the_fleet(fleet):
    """analytics.config has each key once for all machines, and narrower values beside it."""
    set_config(fleet, "temperature", 0.9, "node:alpha")
    rows = fleet.rows("SELECT key, scope, value FROM analytics.config", user="fleet_grafana")

    wide = [row["key"] for row in rows if row["scope"] in {"fleet", "default"}]
    keys = fleet.rows("SELECT key FROM fleet.settings")
    assert sorted(wide) == sorted(row["key"] for row in keys)
    assert [row for row in rows if row["key"] == "temperature"] == [
        {"key": "temperature", "scope": "default", "value": 0.7},
        {"key": "temperature", "scope": "node:alpha", "value": 0.9},
    ]


def test_weights_steer_a_mixed_job(fleet):
    """A mixed job has the weights of its order: 3 to 1, and nothing of a scenario with 0."""
    for (scenario,) in (row.values() for row in fleet.rows("SELECT scenario FROM fleet.scenarios")):
        set_config(fleet, f"scenario_weight_{scenario}", 0)
    with fleet_error("a scenario with a weight above 0", "Raise one of the settings"):
        fleet.submit("mixed", 40)
    set_config(fleet, "scenario_weight_complaint", 3)
    set_config(fleet, "scenario_weight_order_status", 1)

    fleet.submit("mixed", 40)

    made = fleet.rows("SELECT scenario, count(*) AS n FROM fleet.tasks GROUP BY 1 ORDER BY 1")
    assert [row["scenario"] for row in made] == ["complaint", "order_status"]
    assert made[0]["n"] == pytest.approx(30, abs=1)


def test_asked_and_effective_weights_stand_beside_each_other(fleet):
    """Shares of what mixed jobs ask for, and of what the last day accepted."""
    for (scenario,) in (row.values() for row in fleet.rows("SELECT scenario FROM fleet.scenarios")):
        set_config(fleet, f"scenario_weight_{scenario}", 0)
    set_config(fleet, "scenario_weight_complaint", 3)
    set_config(fleet, "scenario_weight_order_status", 1)
    made = fleet.write(scenario="order_status")
    fleet.rows(
        "UPDATE fleet.conversations SET state = 'accepted', judged_at = now()"
        " WHERE conversation_id = %s", made,
    )  # fmt: skip

    rows = fleet.rows(
        "SELECT scenario, asked_ratio, effective_ratio_1d FROM analytics.scenarios"
        " WHERE weight > 0 ORDER BY 1", user="fleet_grafana",
    )  # fmt: skip
    assert [tuple(row.values()) for row in rows] == [
        ("complaint", 0.75, 0.0), ("order_status", 0.25, 1.0),
    ]  # fmt: skip


def test_fleet_state_changes_once(fleet):
    """The second pause says that it changed nothing; another word is refused."""
    change = "SELECT fleet.set_fleet_state(%s, 'ada', 'why')"

    assert fleet.value(change, "paused", user="fleet_control") is True
    assert fleet.value(change, "paused", user="fleet_control") is False
    with fleet_error("unknown fleet state stopped", "Use running or paused"):
        fleet.rows(change, "stopped", user="fleet_control")


def test_one_master_leads_until_its_lease_ends(fleet):
    """The leader renews; a standby gets nothing until the lease is over, then a higher epoch."""
    first, second = uuid.uuid4(), uuid.uuid4()

    def lead(master):
        return fleet.value("SELECT fleet.lead(%s)", master, user="fleet_master")

    assert [lead(first), lead(second), lead(first)] == [1, None, 1]
    fleet.rows("UPDATE fleet.leader SET lease_until = now() - interval '1 s'")
    assert [lead(second), lead(first)] == [2, None]
