"""Settings over HTTP and from the command line; whether the audit log is whole."""

from __future__ import annotations

import json

import pytest
from fleet_control_api.audit.head import HeadTeller


def put(api, key="temperature", who="admin", **body):
    return api.call(who, "PUT", f"/config/{key}", json=body)


def setting(api, key, scope="fleet"):
    answer = api.call("viewer", "GET", "/config", query_string={"scope": scope}).json
    return next(row for row in answer["settings"] if row["key"] == key)


def test_change_is_answered_shown_and_audited(api):
    """A new value is in force at once, with author and reason, and leaves one audit row."""
    answer = put(api, value=0.5, reason="calmer")

    change = answer.json
    assert answer.status_code == 200
    assert (change["value"], change["value_before"], change["scope"]) == (0.5, None, "fleet")
    shown = setting(api, "temperature")
    assert (shown["value"], shown["origin"], shown["version"]) == (0.5, "fleet", change["version"])
    assert (shown["author"], shown["reason"], shown["default_value"]) == (
        "admin-token", "calmer", 0.7,
    )  # fmt: skip
    [row] = api.audit()
    assert (row["action"], row["target"], row["way"]) == (
        "config.set", "setting temperature of fleet", "token",
    )  # fmt: skip
    assert row["reason"] == f"not set -> 0.5 (version {change['version']}): calmer"


def test_values_say_where_they_come_from(api):
    """A node has its own value, that of its role, of the fleet, or the default."""
    put(api, value=0.5)
    put(api, "turn_tries_max", value=5, scope="role:generate")
    put(api, "manual_throttle_factor", value=0, scope="node:alpha")

    seen = {
        key: setting(api, key, "node:alpha")["origin"]
        for key in ("temperature", "turn_tries_max", "manual_throttle_factor", "lease_seconds")
    }
    assert list(seen.values()) == ["fleet", "role:generate", "node:alpha", "default"]
    assert setting(api, "manual_throttle_factor")["narrower"] == {"node:alpha": 0}
    answer = api.call("viewer", "GET", "/config").json
    assert [node["node"] for node in answer["nodes"]] == ["alpha", "beta"]
    assert answer["version"] == setting(api, "manual_throttle_factor", "node:alpha")["version"]


@pytest.mark.parametrize(
    ("key", "body", "status", "said"),
    [
        ("temperature", {"value": 3}, 422, "temperature must be between 0 and 2, not 3"),
        ("temperature", {"value": "warm"}, 422, "temperature must be between 0 and 2, not warm"),
        ("lease_seconds", {"value": 1e300}, 422, "between 1 and 600 seconds, not 1000000"),
        ("generation_method", {"value": "x"}, 422, "must be one of auto, line_by_line, one_shot"),
        ("temperature", {"value": True}, 422, "value must be a number, a text, or null"),
        ("temperature", {"value": [1]}, 422, "value must be a number, a text, or null"),
        ("temperature", {"value": "a\x00"}, 422, "value must be a number, a text, or null"),
        ("temperature", {}, 422, "value is missing"),
        ("temperature", {"value": 1, "scope": "galaxy"}, 422, "unknown scope galaxy"),
        ("lease_seconds", {"value": 9, "scope": "node:alpha"}, 422, "cannot be set for node:alpha"),
        ("temperature", {"value": 1, "version": 7}, 409, "has version 0 by now, not 7"),
        ("temperature", {"value": 1, "version": -1}, 422, "version must be"),
        ("colour", {"value": 1}, 404, "unknown setting colour"),
        ("api_key", {"value": "x"}, 422, "api_key looks like a secret"),
    ],
)
def test_bad_change_is_named_and_audited(lasting_api, key, body, status, said):
    """The answer names key, value and range; nothing changes; the attempt is written down."""
    answer = put(lasting_api, key, **body)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert said in answer.json["detail"]
    [row] = lasting_api.audit()
    assert (row["outcome"], row["reason"]) == ("failed", answer.json["detail"])
    assert lasting_api.call("viewer", "GET", "/config").json["version"] == 0


def test_operator_changes_no_setting(lasting_api):
    """Only admins change settings; the attempt of anybody else is written down."""
    assert put(lasting_api, who="operator", value=1).status_code == 403
    [row] = lasting_api.audit()
    assert (row["action"], row["outcome"]) == ("config.set", "refused")


def test_history_and_rollback(api):
    """Each change is a version; going back is one more, to the value before or a named one."""
    first = put(api, value=0.5).json["version"]
    second = put(api, value=0.6).json["version"]

    back = api.call("admin", "POST", "/config/temperature/rollback", json={"reason": "worse"}).json
    assert (back["value"], back["value_before"]) == (0.5, 0.6)
    assert back["reason"] == f"back to version {first}: worse"
    api.call("admin", "POST", "/config/temperature/rollback", json={"to": second})

    history = api.call("viewer", "GET", "/config/temperature/history").json["history"]
    assert [row["value"] for row in history] == [0.6, 0.5, 0.6, 0.5]
    assert history[0]["valid_to"] is None
    assert api.audit()[-1]["action"] == "config.rollback"
    missing = api.call("admin", "POST", "/config/temperature/rollback", json={"to": 999})
    assert (missing.status_code, missing.json["detail"]) == (
        404, "temperature has no version 999 for fleet",
    )  # fmt: skip
    assert api.call("viewer", "GET", "/config/colour/history").status_code == 404


def test_differences_between_versions_and_times(api):
    """What differs between two versions, or two moments; without any, since the start."""
    first = put(api, value=0.5).json
    put(api, "turn_tries_max", value=5)
    put(api, value=0.6)

    def diff(**query):
        return api.call("viewer", "GET", "/config/diff", query_string=query).json

    since_start = diff()
    assert [row["key"] for row in since_start["changes"]] == ["temperature", "turn_tries_max"]
    since_first = diff(from_time=first["valid_from"])
    assert since_first["from_version"] == first["version"]
    assert [(row["key"], row["before"], row["after"]) for row in since_first["changes"]] == [
        ("temperature", 0.5, 0.6), ("turn_tries_max", None, 5),
    ]  # fmt: skip
    assert diff(from_version=first["version"], to_version=first["version"])["changes"] == []
    assert "is no time" in diff(from_time="yesterday")["detail"]


def test_button_sets_what_was_typed(api):
    """A button sends texts; a number typed into it is one, and only admins press it."""
    query = {"key": "temperature", "value": "0.4", "reason": "button"}
    pressed = api.call("grafana:admin", "POST", "/buttons/config-set", query_string=query)

    assert (pressed.status_code, pressed.json["value"]) == (200, 0.4)
    back = api.call(
        "grafana:admin", "POST", "/buttons/config-rollback", query_string={"key": "temperature"}
    )
    assert back.json["value"] is None
    refused = api.call("grafana:editor", "POST", "/buttons/config-set", query_string=query)
    assert refused.status_code == 403


def test_shares_of_scenarios(lasting_api):
    """Asked shares add up to one; nothing was accepted yet."""
    rows = lasting_api.call("viewer", "GET", "/config/scenarios").json["scenarios"]

    assert sum(row["asked_ratio"] for row in rows) == pytest.approx(1)
    assert {row["effective_ratio_1d"] for row in rows} == {None}


def test_audit_log_is_verified(api):
    """An admin is told the head; after a row was cut off, the older head shows it."""
    put(api, value=0.5)
    put(api, value=0.6)
    whole = api.call("admin", "GET", "/audit/verify").json
    assert (whole["fault"], whole["audit_rows"]) == (None, 2)
    api.owner.execute("SET session_replication_role = replica")
    api.owner.execute("DELETE FROM control.audit WHERE audit_id = 2")

    found = api.call("admin", "GET", "/audit/verify", query_string={"head": whole["head"]}).json

    assert (found["fault"], found["row_number"]) == ("cut off", 2)
    bad = api.call("admin", "GET", "/audit/verify", query_string={"head": "x"})
    assert bad.status_code == 422


def test_head_is_told_each_minute(api, clock, caplog):
    """Rows and hash stand in the log, and as numbers in the metrics, at most once a minute."""
    services = api.app.extensions["fleet"]
    teller = HeadTeller(services, clock)
    put(api, value=0.5)
    head = api.call("admin", "GET", "/audit/verify").json["head"]
    with caplog.at_level("INFO"):
        teller.tell()
        clock.now += 59
        put(api, value=0.6)
        teller.tell()

    said = [record.head for record in caplog.records if hasattr(record, "head")]
    assert said == [head]
    metrics = api.call("metrics", "GET", "/metrics").text
    assert "fleet_audit_rows 1.0" in metrics
    line = next(line for line in metrics.splitlines() if line.startswith("fleet_audit_head "))
    assert f"{int(float(line.split()[1])):012x}" == head[2:14]
    clock.now += 1
    teller.tell()
    assert "fleet_audit_rows 2.0" in api.call("metrics", "GET", "/metrics").text


def test_settings_from_the_command_line(fleet):
    """List, get, set, history, diff and rollback, for people and as JSON."""
    code, out, _ = fleet("config", "set", "temperature", "0.5", "--reason", "calmer")
    assert (code, out) == (0, "temperature of fleet is 0.5 now, was not set (version 1).\n")
    fleet("config", "set", "generation_method", "one_shot", "--scope", "node:alpha")

    assert json.loads(fleet("config", "get", "temperature", "--json")[1])["value"] == 0.5
    _, out, _ = fleet("config", "list", "--scope", "node:alpha", "--area", "generation")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "one_shot" in lines["generation_method"]
    assert "node:alpha" in lines["generation_method"]
    assert "lease_seconds" not in lines
    assert "calmer" in fleet("config", "history", "temperature")[1]
    _, out, _ = fleet("config", "diff", "--from", "0", "--to", "1")
    assert "temperature" in out
    assert "generation_method" not in out
    code, out, _ = fleet("config", "rollback", "temperature")
    assert (code, out) == (0, "temperature of fleet is not set now, was 0.5 (version 3).\n")
    fleet("config", "unset", "generation_method", "--scope", "node:alpha")
    assert json.loads(fleet("config", "list", "--json")[1])["settings"][0]["narrower"] == {}
    assert "complaint" in fleet("config", "scenarios")[1]

    code, _, err = fleet("config", "set", "temperature", "3")
    assert code == 1
    assert err.startswith(
        "fleet: Invalid value: temperature must be between 0 and 2, not 3\n       Sampling"
    )
    assert fleet("config", "get", "colour")[0] == 1


def test_audit_is_verified_from_the_command_line(fleet, api):
    """A whole log is said to be so, with its head; a fault is said on standard error, exit 1."""
    fleet("config", "set", "temperature", "0.5")
    code, out, _ = fleet("audit", "verify")
    assert code == 0
    assert out.startswith("The audit log is whole: 1 row. Its head is 1:")
    head = json.loads(fleet("audit", "verify", "--json")[1])["head"]

    api.owner.execute("SET session_replication_role = replica")
    api.owner.execute("DELETE FROM control.audit")
    code, _, err = fleet("audit", "verify", "--head", head)

    assert code == 1
    assert err.startswith("fleet: the audit log was tampered with (cut off): the log ends at row 0")
