"""Jobs over REST: orders with all their values, batches, estimates, steering, many at once."""

from __future__ import annotations

import uuid

import pytest

ORDER = {"scenario": "healthcare_billing", "count": 5}
FULL = {
    "scenario": {"complaint": 3, "lab_results": 1}, "count": 7, "counts": "accepted", "budget": 2,
    "min_turns": 10, "max_turns": 60, "priority": 6, "seed": 42, "model": "tiny",
    "node_class": "gpu", "vram_bytes_min": 8 << 30,
}  # fmt: skip


def post(api, path, body=None, who="operator"):
    return api.call(who, "POST", f"/jobs{path}", json=body or {})


def audit_rows(api, action):
    return [row for row in api.audit() if row["action"] == action]


def test_order_with_all_values_is_told_as_given(api):
    """What was ordered stands in the answer."""
    job = post(api, "", FULL).json

    told = {name: job[name] for name in FULL if name not in {"scenario", "count"}}
    assert told == {name: value for name, value in FULL.items() if name in told}
    assert (job["scenario"], job["mix"], job["wanted"]) == ("mixed", FULL["scenario"], 7)
    assert (job["tasks_max"], job["tasks_made"]) == (14, 0)


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"scenario": {"complaint": 0}}, "the weight of 'complaint' must be a number between"),
        ({"scenario": {"complaint": True}}, "not True"),
        ({"scenario": {"weather": 1}}, "unknown scenario weather"),
        ({"scenario": {"a\x00": 1}}, "scenario must be one line of printable characters"),
        ({"scenario": {}}, "a mixed job needs a scenario with a weight"),
        ({"scenario": []}, "scenario must be a text that is not empty, not []"),
        ({"max_turns": 61}, "max_turns must be between 2 and 60, not 61"),
        ({"budget": 21}, "budget must be between 1 and 20, not 21"),
        ({"counts": "kept"}, "counts must not be 'kept'"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"node_class": "A B"}, "node_class must not be 'A B'"),
        ({"vram_bytes_min": 0}, "vram_bytes_min must be at least 1, not 0"),
    ],
)
def test_unusable_value_of_an_order_is_named(lasting_api, changed, detail):
    """Nothing is ordered, and nothing is estimated either."""
    for path in ("", "/estimate"):
        response = post(lasting_api, path, {**ORDER, **changed})
        assert (response.status_code, detail in response.json["detail"]) == (422, True), (
            response.json
        )


def test_batch_is_taken_whole(api):
    """Jobs in the order of their orders, one row of the audit log for all and one for each."""
    jobs = post(api, "/batch", {"orders": [ORDER, {**ORDER, "count": 6}]}).json["jobs"]

    assert [job["wanted"] for job in jobs] == [5, 6]
    assert [row["target"] for row in audit_rows(api, "jobs.batch")] == [
        "jobs", *(f"job {job['job_id']}" for job in jobs),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        ({"count": 0}, "orders[1].count must be at least 1, not 0"),
        ({"scenario": "weather"}, "orders[1]: unknown scenario weather"),
        ({"min_turns": 9}, "orders[1]: turn limits must be"),
        ({"colour": "red"}, "unknown value 'orders[1].colour'"),
    ],
)
def test_batch_with_a_bad_order_is_refused_whole(lasting_api, bad, detail):
    """The order that cannot be taken is named, the one before it is not taken either."""
    response = post(lasting_api, "/batch", {"orders": [ORDER, {**ORDER, **bad}]})

    assert (response.status_code, detail in response.json["detail"]) == (422, True), response.json
    assert lasting_api.call("viewer", "GET", "/jobs").json["jobs"] == []
    assert [row["outcome"] for row in lasting_api.audit()] == ["failed"]


@pytest.mark.parametrize("orders", [[], [ORDER] * 101])
def test_batch_has_1_to_100_orders(lasting_api, orders):
    """No more, no fewer."""
    response = post(lasting_api, "/batch", {"orders": orders})

    assert response.json["detail"] == "orders must have 1 to 100 entries"


def test_repeated_batch_makes_no_second_jobs(api):
    """The whole batch under one Idempotency-Key is ordered once."""
    first, again = (
        api.call("operator", "POST", "/jobs/batch", json={"orders": [ORDER] * 2},
                 headers={"Idempotency-Key": "monday"}).json
        for _ in range(2)
    )  # fmt: skip

    assert [job["job_id"] for job in first["jobs"]] == [job["job_id"] for job in again["jobs"]]
    assert len(api.call("viewer", "GET", "/jobs").json["jobs"]) == 2


def test_estimate_orders_nothing_and_says_why_there_is_no_time(api):
    """A fleet that wrote nothing has no pace; no machine that is on, or a pause, says so first."""
    told = post(api, "/estimate", {**ORDER, "counts": "accepted"}).json
    api.owner.execute("UPDATE fleet.nodes SET last_heartbeat_at = now()")
    on = post(api, "/estimate", ORDER).json
    api.call("operator", "POST", "/fleet/pause")
    paused = post(api, "/estimate", ORDER).json

    assert (told["nodes"], told["remaining"], told["tasks_max"]) == (0, 5, 15)
    assert told["note"] == "no machine that is on may write it"
    assert (on["nodes"], on["note"]) == (
        2, "too little was written in the last hour to know the pace",
    )  # fmt: skip
    assert paused["note"] == "the fleet is paused"
    assert api.call("viewer", "GET", "/jobs").json["jobs"] == []


def test_job_is_paused_moved_resumed_and_retried(api):
    """Each step is answered with the job as it is then, and has its row."""
    first, second = (post(api, "", ORDER).json["job_id"] for _ in range(2))

    assert post(api, f"/{first}/pause", {"reason": "noise"}).json["state"] == "paused"
    assert post(api, f"/{first}/pause").json["state"] == "paused"
    assert post(api, f"/{first}/resume").json["state"] == "pending"
    assert post(api, f"/{second}/move", {"to": "first"}).json["rank"] == -1
    moved = post(api, f"/{first}/move", {"to": "before", "other_job_id": second})
    assert moved.json["rank"] == -2
    assert post(api, f"/{first}/retry").status_code == 200
    assert [(row["action"], row["reason"]) for row in api.audit()[2:]] == [
        ("jobs.pause", "noise"), ("jobs.pause", "was paused already"), ("jobs.resume", ""),
        ("jobs.move", "rank -1"), ("jobs.move", "rank -2"),
        ("jobs.retry", "0 failed tasks tried again"),
    ]  # fmt: skip


@pytest.mark.parametrize("body", [{"to": "before"}, {"to": "up"}, {}])
def test_move_without_a_place_is_refused(lasting_api, body):
    """Before and beside need another job."""
    job = post(lasting_api, "", ORDER).json["job_id"]

    assert post(lasting_api, f"/{job}/move", body).status_code == 422
    post(lasting_api, f"/{job}/cancel")


def test_many_are_changed_as_the_preview_told(api):
    """The preview changes nothing; its confirmation changes these jobs, each with its row."""
    jobs = [post(api, "", ORDER).json["job_id"] for _ in range(2)]
    other = post(api, "", {**ORDER, "scenario": "complaint"}).json["job_id"]
    change = {"change": "set_priority", "priority": 8, "scenario": "healthcare_billing"}

    told = post(api, "/update/preview", change, "viewer").json
    assert [job["job_id"] for job in told["jobs"]] == jobs
    assert {job["priority"] for job in told["jobs"]} == {5}
    changed = post(api, "/update", {**change, "confirm": told["confirm"], "reason": "hurry"}).json

    assert [(job["job_id"], job["priority"]) for job in changed["jobs"]] == [(j, 8) for j in jobs]
    assert api.call("viewer", "GET", f"/jobs/{other}").json["priority"] == 5
    rows = audit_rows(api, "jobs.update")
    assert [row["target"] for row in rows] == ["2 jobs", *(f"job {job}" for job in jobs)]
    assert rows[0]["reason"] == ("set_priority 8 of jobs with scenario healthcare_billing: hurry")


def test_other_jobs_than_confirmed_are_a_conflict(api):
    """A job that came after the preview is not changed unseen, nor are the others."""
    post(api, "", ORDER)
    told = post(api, "/update/preview", {"change": "cancel"}).json
    post(api, "", ORDER)

    response = post(api, "/update", {"change": "cancel", "confirm": told["confirm"]})

    assert response.status_code == 409
    assert "this would change 2 jobs" in response.json["detail"]
    states = {job["state"] for job in api.call("viewer", "GET", "/jobs").json["jobs"]}
    assert states == {"pending"}
    assert audit_rows(api, "jobs.update")[-1]["outcome"] == "failed"


def test_buttons_steer_jobs(api):
    """The same commands through Grafana's door."""
    job = post(api, "", ORDER).json["job_id"]

    def press(verb, **values):
        return api.call("grafana:editor", "POST", f"/buttons/{verb}", query_string=values)

    assert press("job-pause", job_id=job).json["state"] == "paused"
    assert press("job-resume", job_id=job).json["state"] == "pending"
    assert press("job-move", job_id=job, to="last").status_code == 200
    assert press("job-move", job_id=job, to="before").status_code == 422
    assert press("job-retry", job_id=job).status_code == 200
    confirm = post(api, "/update/preview", {"change": "cancel"}).json["confirm"]
    assert press("jobs-update", change="cancel", confirm=confirm).json["count"] == 1


def change_picked(api, *jobs, change="pause", who="grafana:editor", **values):
    query = {"change": change, "job_ids": ",".join(jobs), **values}
    return api.call(who, "POST", "/buttons/jobs-change", query_string=query)


def test_button_changes_all_picked_jobs(api):
    """Each picked job has its row; "none", which stands for an empty list, is left out."""
    jobs = [post(api, "", ORDER).json["job_id"] for _ in range(3)]

    answer = change_picked(api, "none", *jobs[:2], reason="noise").json

    assert (answer["count"], {job["state"] for job in answer["jobs"]}) == (2, {"paused"})
    assert api.call("viewer", "GET", f"/jobs/{jobs[2]}").json["state"] == "pending"
    rows = audit_rows(api, "jobs.update")
    assert {row["reason"] for row in rows} == {"pause of 2 of 2 picked jobs: noise"}
    assert [row["target"] for row in rows] == ["2 jobs", f"job {jobs[0]}", f"job {jobs[1]}"]


def test_picked_jobs_that_do_not_allow_it_are_left_out(api):
    """A job that ended since it was picked does not keep the others from being changed."""
    ended, open_job = (post(api, "", ORDER).json["job_id"] for _ in range(2))
    post(api, f"/{ended}/cancel")

    answer = change_picked(api, ended, open_job, change="set_priority", priority=9).json

    assert [(job["job_id"], job["priority"]) for job in answer["jobs"]] == [(open_job, 9)]
    assert audit_rows(api, "jobs.update")[-1]["reason"] == "set_priority 9 of 1 of 2 picked jobs"


def test_change_of_no_picked_job_is_a_conflict(api):
    """The audit row says why nothing came of it."""
    job = post(api, "", ORDER).json["job_id"]

    response = change_picked(api, job, change="resume")

    assert response.status_code == 409
    assert response.json["detail"] == "resume can be done with none of the 1 picked jobs"
    assert audit_rows(api, "jobs.update")[-1]["outcome"] == "failed"


@pytest.mark.parametrize("job_ids", ["none", "5", ",".join([str(uuid.UUID(int=1))] * 101)])
def test_picked_jobs_are_counted_before(lasting_api, job_ids):
    """No job, no id, and more than 100 of them are refused."""
    assert change_picked(lasting_api, job_ids).status_code == 422


def test_any_is_no_constraint_of_a_picked_order(api):
    """A list to pick from has a first entry that asks for nothing."""
    asked = {**ORDER, "model": "any", "node_class": "any", "vram_bytes_min": "any"}
    job = api.call("grafana:editor", "POST", "/buttons/job-submit", query_string=asked).json
    asked |= {"model": "tiny", "node_class": "gpu", "vram_bytes_min": "4294967296"}
    other = api.call("grafana:editor", "POST", "/buttons/job-submit", query_string=asked).json

    assert [job[key] for key in ("model", "node_class", "vram_bytes_min")] == [None] * 3
    assert [other[key] for key in ("model", "node_class", "vram_bytes_min")] == [
        "tiny",
        "gpu",
        4 << 30,
    ]
