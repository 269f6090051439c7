"""What "Monitoring the monitor" says, against a Prometheus and an Alertmanager that are real."""

from __future__ import annotations

import pytest


@pytest.fixture
def panels(panels_of):
    return panels_of("fleet-monitoring")


@pytest.fixture
def ask(panels, prometheus):
    """The samples of one query of a panel, by its title and letter."""

    def run(title, letter="A"):
        (target,) = [each for each in panels[title]["targets"] if each["refId"] == letter]
        return [
            (sample["metric"], float(sample["value"][1])) for sample in prometheus(target["expr"])
        ]

    return run


def test_every_scrape_job_is_shown(ask):
    """All jobs that Prometheus has, each with the share of its scrapes that were answered."""
    assert {labels["job"] for labels, _ in ask("Scrapes that succeeded")} == {
        "alertmanager",
        "fleet-control-api",
        "fleet-master",
        "fleet-node",
        "prometheus",
    }


def test_targets_carry_their_node(ask):
    """A node's target has its name, which is the link to its page."""
    found = {(labels["job"], labels.get("node")) for labels, up in ask("Scrape targets") if up == 1}

    assert ("fleet-node", "alpha") in found
    assert ("prometheus", None) in found


def test_groups_of_rules_have_short_names(ask):
    """The name of the group stands alone, without the path of its file."""
    assert [labels["group"] for labels, _ in ask("Groups of rules")] == ["tests"]


def test_broken_family_is_among_the_slowest(ask):
    """A family that cannot be read is shown however quickly it failed."""
    assert {(labels["collector"], up) for labels, up in ask("Sensor families", "B")} == {
        ("cpu", 1),
        ("gpu", 0),
    }


def test_silence_is_a_row(panels, prometheus):
    """While nobody is told anything Prometheus says so; no row means that it does not answer."""
    (target,) = [each for each in panels["Notifications"]["targets"] if each["refId"] == "A"]
    [sample] = prometheus(target["expr"].replace("[1d]", "[1d] offset 2d"))

    assert sample["metric"] == {"integration": "nobody was told"}
    assert sample["value"][1] == "NaN"


def test_notifications_have_their_way(ask):
    """Only ways that were used are shown: Alertmanager counts all that it knows."""
    [(labels, sent)] = ask("Notifications", "C")

    assert labels == {"integration": "webhook"}
    assert sent > 0


def test_storage_adds_up(panels, query, owner):
    """The tile is the sum of what each table and level takes."""
    (row,) = query(panels["Readings in the database"]["targets"][0]["rawSql"])
    rows = query(panels["Tables of readings"]["targets"][0]["rawSql"])

    assert row["now"] == sum(each["Size"] for each in rows) > 0
    assert row["when full"] is None, "less than 500 rows say nothing of the size of one"


def test_master_is_told(panels, query, owner):
    """Whether one leads, and what it did last."""
    sql = panels["Master"]["targets"][0]["rawSql"]
    (row,) = query(sql)
    (done,) = query(panels["What the master did"]["targets"][0]["rawSql"])
    owner.execute("UPDATE fleet.leader SET lease_until = now() - interval '1 second'")

    assert (row["master"], row["term"], row["last failover"]) == ("leads", 1, None)
    assert (done["What"], done["When"]) == ("Made 7 tasks.", row["last work"])
    assert query(sql)[0]["master"] == "nobody leads"


def test_audit_head_is_that_of_the_api(ask):
    """Rows and head as the control API publishes them."""
    assert [value for _, value in ask("Audit log and logins")] == [7]
    assert [value for _, value in ask("Audit log and logins", "B")] == [0xAB12]
