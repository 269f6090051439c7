"""Every query of the committed dashboards, run where it will run: PostgreSQL and Prometheus."""

from __future__ import annotations

import json
import re

import psycopg
import pytest

READ = r"\b(?<!DISTINCT )(?:FROM|JOIN) ([a-z]+\.[a-z_]+)"  # what a query reads from


def test_sql_returns_rows(sql_target, query, values_of):
    """As fleet_grafana, on a database that has seen some work."""
    rows = query(sql_target["rawSql"], values_of(sql_target["dashboard"]))

    assert rows
    assert any(value is not None for value in rows[-1].values())


def test_promql_returns_rows(prometheus_target, prometheus, values_of):
    """On a Prometheus that scrapes a node and the master."""
    assert prometheus(prometheus_target["expr"], values_of(prometheus_target["dashboard"]))


def column_names(panel, query):
    renames = [
        change["options"].get("renameByName", {})
        for change in panel["transformations"]
        if change["id"] == "organize"
    ]
    names = {name for each in renames for name in each.values()}
    for target in panel["targets"]:
        if "rawSql" in target:
            names |= set(query(target["rawSql"])[0])
        else:
            names.add(target["legendFormat"])
    return names


@pytest.fixture
def query_of(dashboard, query, values_of):
    """Run SQL with the variables of the dashboard at hand."""
    values = values_of(f"{dashboard['uid']}.json")
    return lambda sql: query(sql, values)


def test_overrides_name_columns_that_exist(dashboard, query_of):
    """An override of a column that no query returns would silently do nothing."""
    for panel in dashboard["panels"]:
        overrides = panel["fieldConfig"]["overrides"]
        matchers = [override["matcher"] for override in overrides]
        wanted = {each["options"] for each in matchers if each["id"] == "byName"}
        assert wanted <= column_names(panel, query_of), panel["title"]


def test_links_and_buttons_name_columns_that_exist(dashboard, query_of):
    """A link or a button whose field no query returns would send its own name."""
    for panel in dashboard["panels"]:
        used = re.findall(r'__data\.fields(?:\.(\w+)|\[\\*"([^"\\]+)\\*"\])', json.dumps(panel))
        if used:
            assert {a or b for a, b in used} <= column_names(panel, query_of), panel["title"]


def test_canvas_texts_name_columns_that_exist(dashboard, query_of):
    """A label of a field that no query returns would be empty."""
    for panel in dashboard["panels"]:
        elements = panel["options"].get("root", {}).get("elements", [])
        texts = [each["config"]["text"] for each in elements if "text" in each["config"]]
        fields = {text["field"] for text in texts if text["mode"] == "field"}
        if fields:
            assert fields <= set(query_of(panel["targets"][0]["rawSql"])[0]), panel["title"]


@pytest.fixture
def panels(panels_of):
    """Those of the overview, of which the tests below know what to expect."""
    return panels_of("fleet-overview")


def sql_of(panels, title):
    return panels[title]["targets"][0]["rawSql"]


def test_conversations_per_hour_counts_each_once(panels, query):
    """The last moment holds what was written in the hour before it."""
    rows = query(sql_of(panels, "Conversations per hour"))

    assert (rows[-1]["accepted"], rows[-1]["rejected"]) == (3, 2)
    assert rows[0]["accepted"] == 0


@pytest.mark.parametrize(("hours", "step_seconds"), [(1, 5), (6, 120), (24 * 30, 7200)])
def test_conversations_per_hour_keeps_its_unit(panels, query, hours, step_seconds):
    """Also where one point stands for two hours, it is conversations per hour."""
    rows = query(sql_of(panels, "Conversations per hour"), hours=hours, step_seconds=step_seconds)

    assert 3 / max(1, step_seconds / 3600) == rows[-1]["accepted"]
    assert len(rows) <= hours * 3600 / max(60, step_seconds) + 1


def test_conversations_per_hour_forgets_after_an_hour(panels, query, owner):
    """What was written 59 minutes ago counts, what was written 62 minutes ago does not."""
    owner.execute("UPDATE fleet.conversations SET created_at = now() - interval '62 minutes'")
    owner.execute(
        "UPDATE fleet.conversations SET created_at = now() - interval '59 minutes' WHERE"
        " conversation_id = (SELECT min(conversation_id::text)::uuid FROM fleet.conversations"
        " WHERE state = 'accepted')"
    )

    rows = query(sql_of(panels, "Conversations per hour"))

    assert (rows[-1]["accepted"], rows[-1]["rejected"]) == (1, 0)


def test_checks_passed_is_a_share_of_all(panels, query):
    """Three of five conversations passed every check; the sum stands first."""
    rows = query(sql_of(panels, "Checks passed"))

    assert {"Scenario": "all scenarios", "Passed": pytest.approx(0.6), "Of": 5} == rows[0]


def test_nodes_tell_absence_from_zero(panels, query):
    """A machine that never came has no heartbeat and no temperature, not 0 of them."""
    alpha, beta = query(sql_of(panels, "Nodes"))

    assert (
        alpha["State"],
        alpha["CPU temp."],
        alpha["GPU temp."],
        alpha["Memory"],
    ) == ("online", 71, 64, 0.5)
    assert (beta["State"], beta["Heartbeat"], beta["CPU temp."]) == ("off", None, None)


def test_jobs_stand_in_queue_order(panels, query):
    """Open jobs as they will be worked off, then those that ended."""
    rows = query(sql_of(panels, "Progress of jobs"))

    assert [row["State"] for row in rows] == ["running", "pending", "cancelled"]
    assert tuple(rows[0][key] for key in ("Wanted", "Accepted", "Rejected", "Failed")) == (
        7,
        3,
        2,
        1,
    )


def test_last_conversations_show_no_personal_value(panels, query):
    """The preview is the scrubbed text; a rejected one says why."""
    rows = query(sql_of(panels, "Last conversations"))

    assert len(rows) == 5
    assert all("[PII]" in row["Begins"] for row in rows)
    assert not any("Quintanilla" in row["Begins"] or "QX-55318" in row["Begins"] for row in rows)
    assert {("accepted", None), ("rejected", "repeated_turn")} == {
        (row["Verdict"], row["Reason"]) for row in rows
    }


def test_audit_is_newest_first(panels, query):
    """Refused attempts are there too, with who and why, and what was changed by SQL."""
    rows = query(sql_of(panels, "Recent control actions"))

    assert [(row["Who"], row["Outcome"], row["Why"]) for row in rows[:3]] == [
        ("ada as operator", "done", "why"),
        ("ada as viewer", "refused", "why"),
        ("fleet_owner as database", "done", rows[2]["Why"]),
    ]


def test_audit_cuts_ids(panels, query, owner):
    """An id is shown as in the list of jobs: its first eight digits."""
    target = "job 0f5f1c1e-7d0a-4a57-9b35-1f0e6f6a7c11"
    owner.execute(
        "SELECT control.write_audit('ada', 'admin', 'grafana', 'cancel', %s, 'done', '', NULL)",
        [target],
    )

    assert query(sql_of(panels, "Recent control actions"))[0]["To what"] == "job 0f5f1c1e"


def test_troubles_name_the_machine(panels, query, owner):
    """A machine that is missed, hot or without a model server has a row a trouble; worst first."""
    owner.execute("UPDATE fleet.nodes SET is_expected = true")
    owner.execute("UPDATE fleet.nodes SET llm_circuit_opened_at = now() WHERE node = 'alpha'")
    owner.execute("UPDATE telemetry.hardware SET cpu_temperature_celsius = 80.6")

    rows = query(sql_of(panels, "Machines that need a look"))

    assert [(row["Severity"], row["Node"], row["Trouble"]) for row in rows] == [
        ("critical", "beta", "is offline: agent and exporter are silent"),
        ("critical", "alpha", "is hot: 81 °C"),
        ("warning", "alpha", "writes nothing: its model server fails"),
    ]


def test_no_trouble_is_a_row(panels, query):
    """A machine that is off on purpose is no trouble; calm is said, so that silence is none."""
    rows = query(sql_of(panels, "Machines that need a look"))

    assert [(row["Severity"], row["Node"], row["Trouble"]) for row in rows] == [
        ("none", None, "all machines are well")
    ]


def test_machines_are_counted_once(panels, query, owner):
    """Whoever is off on purpose is not missed."""
    assert query(sql_of(panels, "Machines")) == [{"online": 1, "stale": 0, "offline": 0, "off": 1}]

    owner.execute("UPDATE fleet.nodes SET is_expected = true")

    assert query(sql_of(panels, "Machines")) == [{"online": 1, "stale": 0, "offline": 1, "off": 0}]


def test_forecast_says_why_there_is_none(panels, query, owner):
    """Without a pace, a job, or while paused: a reason in the place of a date."""
    (row,) = query(sql_of(panels, "All open work"))
    owner.execute("SELECT fleet.set_fleet_state('paused', 'tests', 'x')")
    (paused,) = query(sql_of(panels, "All open work"))
    owner.execute("SELECT fleet.cancel_job(job_id) FROM analytics.jobs WHERE finished_at IS NULL")
    owner.execute("SELECT fleet.set_fleet_state('running', 'tests', 'x')")
    (idle,) = query(sql_of(panels, "All open work"))

    assert (row["to write"], row["forecast"]) == (4, "known")
    assert row["likely (P50)"] < row["9 of 10 (P90)"]
    assert (paused["likely (P50)"], paused["forecast"]) == (None, "fleet is paused")
    assert (idle["to write"], idle["likely (P50)"], idle["forecast"]) == (
        0,
        None,
        "no open job",
    )


def test_pace_counts_the_last_hour(panels, query):
    """Of five judged conversations three were kept; seven calls wrote 200 tokens each."""
    assert query(sql_of(panels, "Pace now")) == [
        {"accepted": 3, "judged": 5, "tokens": pytest.approx(7 * 200 / 300)}
    ]


def test_quality_is_the_judge_s_alone(panels, query, owner):
    """Checks give no scores: the tiles stay empty where no judge has looked."""
    (row,) = query(sql_of(panels, "Average quality"))
    assert (row["realness"], row["coherence"]) == (6, None)
    assert row["healthcare valid"] == pytest.approx(3 / 5)

    owner.execute("UPDATE fleet.grades SET realness = NULL, healthcare_valid = NULL")
    (row,) = query(sql_of(panels, "Average quality"))

    assert set(row.values()) == {None}


def test_yield_counts_the_hour_that_has_begun(panels, query):
    """Also where the chosen time begins within it: three of five were kept, seven calls paid."""
    (kept,) = query(sql_of(panels, "Yield"), hours=0.05)
    (cost,) = query(sql_of(panels, "Cost of an accepted conversation"), hours=0.05)

    assert kept["accepted of judged"] == pytest.approx(3 / 5)
    assert (cost["tokens"], cost["time of calls"]) == (
        pytest.approx(7 * 200 / 3),
        pytest.approx(7 * 10 / 3),
    )


def test_audit_leaves_deliveries_out(panels, query, owner):
    """What Alertmanager hands over each minute would hide what people did."""
    owner.execute(
        "SELECT control.write_audit('teller', 'webhook', 'token', 'alerts.deliver', 'x', 'done',"
        " '', NULL)"
    )

    assert query(sql_of(panels, "Recent control actions"))[0]["Who"] == "ada as operator"


def test_failed_attempts_are_grouped(panels, query):
    """One row a kind of failure and machine, with how often and the last message."""
    (row,) = query(sql_of(panels, "Failed attempts"))

    assert (row["What"], row["Node"], row["Times"]) == ("empty", "alpha", 1)
    assert row["Last message"] == "no answer"


def test_events_are_newest_first(panels, query, owner):
    """What happened last stands first; what happened before the time range is not shown."""
    owner.execute("DELETE FROM telemetry.events")
    for age, message in (("5 hours", "long ago"), ("2 hours", "first"), ("1 hour", "second")):
        owner.execute(
            "SELECT fleet.record_event(gen_random_uuid(), now() - %s::interval, 'warning',"
            " 'program_ended', %s, 'alpha')",
            [age, message],
        )

    rows = query(sql_of(panels, "What happened"))

    assert [(row["Node"], row["What"]) for row in rows] == [("alpha", "second"), ("alpha", "first")]


def test_panels_cannot_write(query):
    """Whatever a Viewer sends as SQL, it changes nothing."""
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        query("CREATE TABLE mine (x int)")


def test_running_counts_claimed_tasks(panels, prometheus):
    """A claimed task is being worked on, so that the four tiles hold every open task."""
    targets = panels["Conversations to write"]["targets"]
    values = {
        target["legendFormat"]: float(prometheus(target["expr"])[0]["value"][1])
        for target in targets
    }

    assert values == {"pending": 11, "running": 12 + 13, "done": 14, "failed": 15}


def test_temperature_is_that_of_the_hottest_sensor(panels, prometheus):
    """One line a CPU: the maximum of its sensors."""
    rows = prometheus(panels["Temperatures"]["targets"][0]["expr"])

    assert [(row["metric"]["node"], row["value"][1]) for row in rows] == [("alpha", "82")]


def test_firing_alerts_have_their_age(panels, prometheus):
    """One row an alert and node, gravity included; the value is seconds since it began."""
    rows = prometheus(panels["Firing alerts"]["targets"][0]["expr"])

    assert [row["metric"] for row in rows] == [
        {"alertname": "CpuHot", "severity": "critical", "node": "alpha"}
    ]
    assert 0 <= float(rows[0]["value"][1]) < 600


def test_queries_read_only_the_views(dashboard):
    """Panels keep to schema analytics, whose columns are the contract."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            for table in re.findall(READ, target.get("rawSql", "")):
                assert table.startswith("analytics."), panel["title"]


def test_calm_is_a_row(panels, prometheus):
    """While nothing fires Prometheus says so itself; no row means that it does not answer."""
    expr = panels["Firing alerts"]["targets"][0]["expr"]
    rows = prometheus(expr.replace('alertstate="firing"', 'alertstate="never"'))

    assert [(row["metric"]["alertname"], row["value"][1]) for row in rows] == [
        ("nothing fires", "NaN")
    ]


def test_memory_has_a_row_for_each_kind(panels, prometheus):
    """Main memory and each GPU of a node are told apart."""
    rows = prometheus(panels["Memory in use"]["targets"][0]["expr"])

    assert sorted((row["metric"]["kind"], row["value"][1]) for row in rows) == [
        ("GPU 0", "0.5"),
        ("main", "0.5"),
    ]
