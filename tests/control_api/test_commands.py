"""Changes and the audit log: what was done, refused and failed, over REST and over buttons."""

from __future__ import annotations

import uuid

import pytest
from fleet_control_api.routes.sd import render_target

ORDER = {"scenario": "healthcare_billing", "count": 5}
MISSING = "00000000-0000-4000-8000-000000000000"


def submit(api, **changed):
    return api.call("operator", "POST", "/jobs", json={**ORDER, **changed}).json


def test_submitted_job_is_answered_and_audited(api):
    """An order makes a job, says where it is, and leaves one row with its id."""
    response = api.call("operator", "POST", "/jobs", json=ORDER)

    job = response.json
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/jobs/{job['job_id']}"
    assert (job["state"], job["wanted"], job["requested_by"]) == ("pending", 5, "operator-token")
    assert api.audit() == [
        {"actor": "operator-token", "role": "operator", "way": "token", "action": "jobs.submit",
         "target": f"job {job['job_id']}", "outcome": "done",
         "reason": "5 conversations of healthcare_billing"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("order", "status", "detail"),
    [
        ({"scenario": "nonsense", "count": 1}, 422, "unknown scenario nonsense"),
        ({**ORDER, "count": 0}, 422, "count must be at least 1, not 0"),
        ({**ORDER, "count": 10_000_000}, 422, "count must be between 1 and 100000, not 10000000"),
        ({**ORDER, "count": 10**30}, 422, "count must be at most 2147483647, not 1000"),
        ({**ORDER, "count": True}, 422, "count must be a whole number, not True"),
        ({**ORDER, "count": "5"}, 422, "count must be a whole number, not '5'"),
        ({"count": 5}, 422, "scenario is missing"),
        ({**ORDER, "colour": "red"}, 422, "unknown value 'colour'"),
        ({**ORDER, "min_turns": 9}, 422, "turn limits must be"),
        ({**ORDER, "priority": 11}, 422, "priority must be between 0 and 10, not 11"),
        ({**ORDER, "scenario": "a\x00b"}, 422, "scenario must be one line of printable characters"),
        ({**ORDER, "scenario": "\ud800"}, 422, "scenario must be one line of printable characters"),
        ({**ORDER, "scenario": "x" * 501}, 422, "scenario has 501 characters"),
    ],
)
def test_unusable_order_is_named_and_audited(lasting_api, order, status, detail):
    """A value that cannot be used is named in the answer and in the log; nothing is made."""
    response = lasting_api.call("operator", "POST", "/jobs", json=order)

    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert detail in response.json["detail"]
    [row] = lasting_api.audit()
    assert (row["outcome"], row["reason"]) == ("failed", response.json["detail"])
    assert lasting_api.owner.execute("SELECT count(*) FROM fleet.jobs").fetchone() == {"count": 0}


def test_remedy_comes_from_the_database(lasting_api):
    """The hint of the SQL function is what the caller is told to do."""
    response = lasting_api.call(
        "operator", "POST", "/jobs", json={"scenario": "nonsense", "count": 1}
    )

    assert response.json["remedy"].startswith("Known: mixed, ")


def test_refused_attempt_is_audited(lasting_api):
    """A viewer who tries to pause is refused and written down; the fleet goes on."""
    response = lasting_api.call("viewer", "POST", "/fleet/pause")

    assert response.status_code == 403
    [row] = lasting_api.audit()
    assert (row["actor"], row["role"], row["action"], row["outcome"]) == (
        "viewer-token", "viewer", "fleet.pause", "refused",
    )  # fmt: skip
    assert row["reason"] == "the role operator is needed, viewer-token has viewer"
    assert lasting_api.call("viewer", "GET", "/fleet").json["state"] == "running"


def test_attempts_of_nobody_fill_no_table(lasting_api):
    """A hundred attempts without a login leave one row within a minute."""
    statuses = {lasting_api.call("nobody", "POST", "/fleet/pause").status_code for _ in range(100)}

    assert statuses == {401}
    assert len(lasting_api.audit()) <= 3  # one a minute that began meanwhile, and its summary
    assert {(row["way"], row["outcome"]) for row in lasting_api.audit()} == {("none", "refused")}


def test_pause_twice_is_fine(api):
    """The second pause changes nothing, says so, and is audited as well."""
    first, second = (
        api.call("operator", "POST", "/fleet/pause", json={"reason": "noise"}) for _ in range(2)
    )

    assert (first.json["changed"], second.json["changed"]) == (True, False)
    assert [row["outcome"] for row in api.audit()] == ["done", "done"]
    assert api.call("viewer", "GET", "/fleet").json["reason"] == "noise"


def test_cancelled_job_cannot_be_cancelled_again(api):
    """The second cancel is a conflict, with the state in the answer and a failed row."""
    job = submit(api)["job_id"]
    first = api.call("operator", "POST", f"/jobs/{job}/cancel", json={"reason": "wrong scenario"})
    second = api.call("operator", "POST", f"/jobs/{job}/cancel")

    assert (first.status_code, first.json["state"]) == (200, "cancelled")
    assert (second.status_code, second.json["detail"]) == (409, f"job {job} is already cancelled")
    assert [(row["outcome"], row["target"]) for row in api.audit()[1:]] == [
        ("done", f"job {job}"), ("failed", f"job {job}"),
    ]  # fmt: skip


@pytest.mark.parametrize(("job", "status"), [(MISSING, 404), ("seven", 422)])
def test_unknown_job_is_said(lasting_api, job, status):
    """A job that is none is 404, an id that is none is 422; both attempts are audited."""
    assert lasting_api.call("operator", "POST", f"/jobs/{job}/cancel").status_code == status
    assert lasting_api.call("viewer", "GET", f"/jobs/{job}").status_code == status
    assert [row["outcome"] for row in lasting_api.audit()] == ["failed"]


def test_change_and_audit_are_one_transaction(api):
    """When the audit row cannot be written, nothing was changed either."""
    api.owner.execute(
        "ALTER TABLE control.audit ADD CONSTRAINT no_room CHECK (action <> 'fleet.pause')"
    )

    response = api.call("operator", "POST", "/fleet/pause")

    assert response.status_code == 500
    assert api.call("viewer", "GET", "/fleet").json["state"] == "running"


def test_chain_of_audit_holds(api):
    """What the API writes verifies as an unbroken chain."""
    submit(api)
    api.call("viewer", "POST", "/fleet/pause")
    api.call("nobody", "POST", "/fleet/pause")

    found = api.owner.execute("SELECT fault, audit_rows FROM control.verify_audit()").fetchone()
    assert found == {"fault": None, "audit_rows": 3}


def test_repeated_key_makes_no_second_job(api):
    """The same Idempotency-Key gives the same job; another order under it is a conflict."""
    key = {"Idempotency-Key": "monday"}
    first, again = (
        api.call("operator", "POST", "/jobs", json=ORDER, headers=key).json for _ in range(2)
    )
    other = api.call("operator", "POST", "/jobs", json={**ORDER, "count": 6}, headers=key)
    somebody = api.call("admin", "POST", "/jobs", json=ORDER, headers=key).json

    assert first["job_id"] == again["job_id"] != somebody["job_id"]
    assert other.status_code == 409
    assert api.owner.execute("SELECT count(*) FROM fleet.jobs").fetchone() == {"count": 2}


def test_lists_are_bounded_and_filtered(api):
    """The list of jobs knows states and limits; an unknown one is named."""
    made = [submit(api)["job_id"] for _ in range(3)]
    api.call("operator", "POST", f"/jobs/{made[0]}/cancel")

    listed = api.call(
        "viewer", "GET", "/jobs", query_string={"state": "pending", "limit": "1"}
    ).json["jobs"]
    assert [job["job_id"] for job in listed] == [made[2]]
    assert api.call("viewer", "GET", "/jobs", query_string={"limit": "0"}).status_code == 422
    assert (
        "Known: pending"
        in api.call("viewer", "GET", "/jobs", query_string={"state": "odd"}).json["remedy"]
    )


def test_nodes_and_targets(lasting_api):
    """Nodes are listed for people, and as scrape targets for Prometheus."""
    nodes = lasting_api.call("viewer", "GET", "/nodes").json["nodes"]
    targets = lasting_api.call("sd", "GET", "/sd/nodes").json

    assert [node["node"] for node in nodes] == ["alpha", "beta"]
    assert targets[0] == {"targets": ["127.0.0.1:1"], "labels": {"node": "alpha"}}


def test_target_below_a_path():
    """Where one port serves many nodes, Prometheus is told the path of each."""
    assert render_target("gamer-1", "127.0.0.1:1/gamer-1/metrics").model_dump() == {
        "targets": ["127.0.0.1:1"],
        "labels": {"node": "gamer-1", "__metrics_path__": "/gamer-1/metrics"},
    }


def test_audit_pages_backwards(api):
    """`before` continues where the page before ended."""
    for _ in range(3):
        api.call("operator", "POST", "/fleet/pause")
    page = api.call("viewer", "GET", "/audit", query_string={"limit": "2"}).json["audit"]
    older = api.call("viewer", "GET", "/audit", query_string={"before": page[-1]["audit_id"]}).json[
        "audit"
    ]

    assert [row["audit_id"] for row in [*page, *older]] == [3, 2, 1]


def test_times_are_iso(api):
    """Times are ISO 8601 with a zone."""
    assert submit(api)["created_at"].endswith("+00:00")
    assert uuid.UUID(submit(api)["job_id"])
