"""Orders as they are estimated, and many jobs changed at once."""

from __future__ import annotations

import threading

import pytest
from fix_fleet import fleet_error, wait_until
from psycopg.types.json import Jsonb

ORDER = {"scenario": "complaint", "count": 6}


def estimate(fleet, **changed):
    (row,) = fleet.rows(
        "SELECT *, now() AS now FROM fleet.estimate_order(%s)",
        Jsonb({**ORDER, **changed}),
        user="fleet_control",
    )
    return row


def write_each(fleet, seconds, count):
    """Have alpha write so many, one each so many seconds."""
    for _ in range(count):
        fleet.claim_one().write()
    fleet.rows(
        "UPDATE fleet.tasks t SET finished_at = now() - make_interval(secs => s.each * n.number),"
        " claimed_at = now() - make_interval(secs => s.each * (n.number + 1))"
        " FROM (SELECT task_id, row_number() OVER () AS number FROM fleet.tasks"
        " WHERE state = 'done') n, (SELECT %s::integer AS each) s WHERE n.task_id = t.task_id",
        seconds,
    )


def test_estimate_stores_nothing_and_says_the_end(fleet):
    """What is ahead and the order itself, at the pace of the machines that are on."""
    fleet.beat("alpha", "beta")
    fleet.submit(count=10, priority=9)
    write_each(fleet, 10, 4)

    row = estimate(fleet)

    assert (row["nodes"], row["remaining"], row["queued_before"], row["tasks_max"]) == (2, 6, 6, 6)
    assert (row["eta_p50_at"] - row["now"]).total_seconds() == pytest.approx(120, abs=1)
    assert row["eta_p90_at"] >= row["eta_p50_at"]
    assert fleet.value("SELECT count(*) FROM fleet.jobs") == 1


def test_estimate_asks_the_machines_that_fit(fleet):
    """An order that no machine that is on can take has no end; one for half of them takes twice."""
    fleet.beat("alpha", "beta")
    fleet.rows("SELECT fleet.set_node_class('alpha', 'big')")
    fleet.submit(count=10)
    write_each(fleet, 10, 4)
    fleet.rows("SELECT fleet.cancel_job(job_id) FROM fleet.jobs")

    nowhere, fitting = estimate(fleet, node_class="none"), estimate(fleet, node_class="big")

    assert (nowhere["nodes"], nowhere["eta_p50_at"]) == (0, None)
    assert fitting["nodes"] == 1
    assert (fitting["eta_p50_at"] - fitting["now"]).total_seconds() == pytest.approx(60, abs=1)


def test_machines_that_are_off_give_no_pace(fleet):
    """What a machine wrote before it went off says nothing of when the rest is written."""
    fleet.beat("alpha", "beta")
    fleet.submit(count=10)
    write_each(fleet, 10, 4)
    fleet.rows("UPDATE fleet.nodes SET last_heartbeat_at = now() - interval '10 min'"
               " WHERE node = 'alpha'")  # fmt: skip

    assert estimate(fleet)["eta_p50_at"] is None


def test_estimate_refuses_what_an_order_would(fleet):
    """The same errors, from the same function."""
    with fleet_error("unknown scenario weather", "Known: mixed, "):
        estimate(fleet, scenario="weather")
    with fleet_error("an order has no 'colour'"):
        estimate(fleet, colour="red")


@pytest.mark.parametrize(
    ("mix", "told"),
    [
        ({"complaint": 1, "weather": 1}, ("unknown scenario weather", "Known: mixed")),
        ({}, ("mix must give scenarios a weight", "For example")),
        ({"complaint": 0}, ("between 0.001 and 1000",)),
        ({"complaint": "much"}, ("between 0.001 and 1000",)),
        (["complaint"], ("between 0.001 and 1000",)),
    ],
)
def test_bad_mix_names_value_and_remedy(fleet, mix, told):
    """A mix is an object of known scenarios with weights above 0."""
    with fleet_error(*told):
        estimate(fleet, scenario="mixed", mix=mix)


def test_mix_of_one_scenario_is_refused(fleet):
    """Weights belong to a mixed job."""
    with fleet_error("scenario is complaint, and mix is given as well", "leave mix out"):
        estimate(fleet, mix={"lab_results": 1})


def test_order_keeps_its_mix_and_seed(fleet):
    """Two orders of one mix and seed ask for the same people in the same scenarios."""
    order = {"scenario": "mixed", "count": 20, "mix": {"complaint": 3, "lab_results": 1}, "seed": 7}
    drawn = []
    for _ in range(2):
        job = fleet.value("SELECT fleet.submit_order(%s, 'ada')", Jsonb(order))
        fleet.rows("SELECT fleet.split_jobs()")
        tasks = fleet.rows(
            "SELECT scenario, seed FROM fleet.tasks WHERE job_id = %s ORDER BY position", job
        )
        drawn.append([tuple(row.values()) for row in tasks])

    assert drawn[0] == drawn[1]
    assert [scenario for scenario, _ in drawn[0]].count("complaint") == pytest.approx(15, abs=1)


def preview(fleet, change, priority=None, **chosen):
    (row,) = fleet.rows(
        "SELECT * FROM fleet.preview_change(%s, %s, %s)",
        change, Jsonb(chosen), priority, user="fleet_control",
    )  # fmt: skip
    return row["jobs"], row["confirm"]


def change(fleet, change, confirm, priority=None, **chosen):
    return fleet.value(
        "SELECT fleet.change_jobs(%s, %s, %s, %s)",
        change, Jsonb(chosen), priority, confirm, user="fleet_control",
    )  # fmt: skip


def states(fleet):
    rows = fleet.rows("SELECT state FROM analytics.jobs ORDER BY created_at, job_id")
    return [row["state"] for row in rows]


def test_preview_tells_and_its_confirmation_changes(fleet):
    """The jobs of the filter that the change is possible for, then those and no others."""
    jobs = [fleet.submit("complaint"), fleet.submit("lab_results"), fleet.submit("complaint")]
    fleet.rows("SELECT fleet.cancel_job(%s)", jobs[2])

    found, confirm = preview(fleet, "pause", scenario="complaint")

    assert found == [jobs[0]]
    assert states(fleet) == ["running", "running", "cancelled"]
    assert change(fleet, "pause", confirm, scenario="complaint") == found
    assert states(fleet) == ["paused", "running", "cancelled"]
    assert preview(fleet, "resume", state="paused")[0] == [jobs[0]]


def test_outdated_confirmation_changes_nothing(fleet):
    """A job that came meanwhile would be changed unseen: refused, with what to do."""
    fleet.submit()
    _, confirm = preview(fleet, "cancel")
    fleet.submit()

    with fleet_error(f"this would change 2 jobs, others than '{confirm}'", "preview again"):
        change(fleet, "cancel", confirm)
    with fleet_error("others than NULL stands for"):
        change(fleet, "cancel", None)
    assert states(fleet) == ["running", "running"]


def test_confirmation_is_of_one_change(fleet):
    """What confirms a pause does not confirm a cancel, nor one priority another."""
    fleet.submit()
    _, confirm = preview(fleet, "set_priority", 7)

    for other in (("cancel", None), ("set_priority", 8)):
        with fleet_error("others than"):
            change(fleet, other[0], confirm, other[1])
    change(fleet, "set_priority", confirm, 7)
    assert fleet.value("SELECT priority FROM fleet.jobs") == 7


@pytest.mark.parametrize("change_name", ["move_first", "move_last"])
def test_moved_jobs_keep_their_order(fleet, change_name):
    """They go before or behind the others, and among themselves stay as they were."""
    mine = [fleet.submit("complaint", 1) for _ in range(3)]
    other = fleet.submit("lab_results", 1)
    found, confirm = preview(fleet, change_name, scenario="complaint")

    change(fleet, change_name, confirm, scenario="complaint")

    served = [fleet.task(fleet.claim_one())["job_id"] for _ in range(4)]
    assert served == ([*mine, other] if change_name == "move_first" else [other, *mine])
    assert found == mine


def test_failed_jobs_are_retried_together(fleet):
    """Those with tasks that were given up, whoever asked for them."""
    fleet.set("task_attempts_max", 1)
    failed = fleet.submit()
    fleet.claim_one().fail()
    fleet.decide(can_write=True)
    fine = fleet.submit()

    found, confirm = preview(fleet, "retry", requested_by="tests")

    assert found == [failed] != [fine]
    change(fleet, "retry", confirm, requested_by="tests")
    assert fleet.value("SELECT count(*) FROM fleet.tasks WHERE state = 'pending'") == 2


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("burn", {}, None), ("cannot be changed by 'burn'", "Use pause")),
        ((None, {}, None), ("cannot be changed by NULL",)),
        (("pause", {"colour": "red"}, None), ("cannot be chosen by 'colour'", "by state")),
        (("set_priority", {}, None), ("priority must be",)),
        (("set_priority", {}, 11), ("priority must be between 0 and 10, not 11",)),
    ],
)
def test_bad_change_names_value_and_remedy(fleet, asked, told):
    """What jobs cannot be changed or chosen by is refused."""
    with fleet_error(*told):
        fleet.rows(
            "SELECT * FROM fleet.preview_change(%s, %s, %s)", asked[0], Jsonb(asked[1]), asked[2]
        )


def test_job_that_ends_meanwhile_is_not_changed_unseen(fleet):
    """The change waits for who holds the job, then looks again."""
    job = fleet.submit()
    _, confirm = preview(fleet, "pause")
    holder = fleet.database.connect()
    failures = []

    def pause():
        try:
            change(fleet, "pause", confirm)
        except Exception as exc:  # noqa: BLE001 - looked at below
            failures.append(str(exc))

    with holder, holder.transaction():
        holder.execute("SELECT fleet.cancel_job(%s)", [job])
        thread = threading.Thread(target=pause)
        thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: fleet.value(waiting), "the change waits for the job")
    thread.join(20)

    assert [text for text in failures if "this would change 0 jobs" in text] == failures != []
    assert states(fleet) == ["cancelled"]


def test_key_of_another_person_is_another_key(fleet):
    """Two people who use one key make two jobs."""
    once = "SELECT job_id FROM fleet.submit_order_once('k', %s, %s)"

    made = {fleet.value(once, Jsonb(ORDER), who) for who in ("ada", "eve")}

    assert len(made) == 2
