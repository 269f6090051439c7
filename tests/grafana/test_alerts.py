"""The dashboard "Alerts" tells what fires, who was told, and what is silent."""

from __future__ import annotations

import pytest


@pytest.fixture
def panels(panels_of):
    return panels_of("fleet-alerts")


@pytest.fixture
def ask(panels, query):
    """Run the SQL of a panel."""
    return lambda title, **how: query(panels[title]["targets"][0]["rawSql"], **how)


def test_firing_alerts_are_counted_by_severity(ask):
    """A GPU and the yield; neither was taken on. The Watchdog is no trouble."""
    assert ask("Firing now") == [{"critical": 1, "warning": 1, "info": 0, "not taken on": 2}]


def test_who_was_told_of_a_firing_alert(ask):
    """Newest first; a silenced one says so, and one that reached nobody too."""
    rows = ask("Alerts that fire, and what to do")

    assert [(row["Alert"], row["Node"], row["Told"]) for row in rows] == [
        ("YieldLow", None, "nobody yet"),
        ("GpuHot", "alpha", "nobody: silenced"),
    ]
    assert rows[1]["What"] == "A GPU is too hot. gpu: 0"
    assert rows[1]["For"] == pytest.approx(3600, abs=30)


def test_a_delivered_alert_names_its_receivers(ask, owner):
    """Once the silence has ended, who was told before is shown."""
    owner.execute("UPDATE control.silences SET ended_at = now(), ended_by = 'ada'")

    told = {row["Alert"]: row["Told"] for row in ask("Alerts that fire, and what to do")}

    assert told["GpuHot"] == "critical-mail"


def test_silences_say_who_why_and_until_when(ask):
    """The one that lasts, with what it mutes."""
    [row] = ask("Silences")

    assert (row["State"], row["By"], row["Why"]) == ("active", "ada", "new paste is ordered")
    assert row["Which alerts"] == 'alertname="GpuHot", node="alpha"'


def test_history_tells_how_it_went(ask):
    """The alert that is over: how long, who was told, who took it on and when."""
    row = ask("History")[-1]

    assert (row["Alert"], row["State"], row["Taken on by"]) == ("CpuHot", "resolved", "ada")
    assert (row["Lasted"], row["after"]) == (pytest.approx(240), pytest.approx(60))
    assert row["Told"] == "critical-mail, critical-sms"


def test_noise_equals_the_tables(ask, owner):
    """Counted once more from the tables themselves."""
    wanted = owner.execute(
        "SELECT count(*) AS fired, (SELECT count(*) FROM control.alert_deliveries d"
        "   JOIN control.alerts b USING (alert_id) WHERE b.labels ->> 'alertname' <> 'Watchdog')"
        "   AS notifications FROM control.alerts WHERE labels ->> 'alertname' <> 'Watchdog'"
    ).fetchone()

    [row] = ask("Noise and answer")

    assert (row["fired"], row["notifications"]) == (wanted["fired"], wanted["notifications"])
    assert (wanted["fired"], wanted["notifications"]) == (3, 5)
    assert (row["short-lived"], row["taken on"]) == (1, pytest.approx(1 / 3))
    assert row["after"] == pytest.approx(60)


def test_the_noisiest_stands_first(ask):
    """By notifications; each name once."""
    rows = ask("The noisiest alerts", hours=48)

    assert [(row["Alert"], row["Notifications"]) for row in rows] == [
        ("CpuHot", 4),
        ("GpuHot", 1),
        ("YieldLow", 0),
    ]
    assert rows[0]["Taken on"] == 1


def test_nothing_in_the_range_is_nothing(ask, owner):
    """A range without alerts has no rows, and figures of 0, not those of another time."""
    owner.execute("UPDATE control.alert_deliveries SET time = time - interval '2 days'")
    owner.execute(
        "UPDATE control.alerts SET started_at = started_at - interval '2 days',"
        " ended_at = ended_at - interval '2 days'"
    )

    assert ask("History") == ask("Deliveries") == []
    assert ask("Noise and answer")[0]["fired"] == 0


def test_prometheus_tells_what_fires(panels, prometheus):
    """One row an alert and state, with its age; without the Watchdog."""
    [row] = prometheus(panels["What Prometheus says now"]["targets"][0]["expr"])

    assert (row["metric"]["alertname"], row["metric"]["alertstate"]) == ("CpuHot", "firing")
    assert 0 <= float(row["value"][1]) < 600


def test_calm_of_prometheus_is_a_row(panels, prometheus):
    """While nothing fires Prometheus says so itself; no row means that it does not answer."""
    expr = panels["What Prometheus says now"]["targets"][0]["expr"]

    [row] = prometheus(expr.replace('alertname!="Watchdog"', 'alertname="Never"'))

    assert row["metric"]["alertname"] == "nothing fires"


def test_rules_are_alive(panels, prometheus):
    """The Watchdog fires."""
    [row] = prometheus(panels["Alert rules"]["targets"][0]["expr"])

    assert row["value"][1] == "1"
