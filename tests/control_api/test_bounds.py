"""The audit log: complete for what anybody may try, bounded for what anybody may repeat."""

from __future__ import annotations

import logging
from dataclasses import replace
from threading import Event

import pytest
from fix_control import make_user
from fleet_control_api.audit.rate_limit import OWN_ROWS, AuditRateLimit
from fleet_control_api.audit.summaries import SummaryWriter
from fleet_control_api.changes.perform import perform
from fleet_control_api.permissions.limits import RateLimit
from fleet_control_api.permissions.roles import changes
from fleet_control_api.routes import fleet
from fleet_control_api.service.database import Database
from fleet_control_api.values.body import SIZE_MAX


@pytest.fixture
def bounded(lasting_api, clock):
    """At most 80 changes a minute, in a minute that ends when `clock` moves."""
    lasting_api.use(audit_limit=AuditRateLimit(clock), writes=RateLimit(80, 60))
    return lasting_api


def write_summaries(api):
    """Let the thread of the summaries look once, as at the end of the program."""
    writer = SummaryWriter(api.app.extensions["fleet"], lambda: False)
    writer.start()
    writer.stop()


def call_often(api, who, method, path, count):
    return [api.call(who, method, path).status_code for _ in range(count)]


@pytest.mark.parametrize("who", ["viewer", "grafana:viewer"])
def test_refusals_do_not_fill_the_log(bounded, who):
    """A viewer's first refusals are rows, all others one, however many they are."""
    path = "/buttons/fleet-pause" if who.startswith("grafana") else "/fleet/pause"
    codes = call_often(bounded, who, "POST", path, 100)
    write_summaries(bounded)

    assert codes == [403] * 80 + [429] * 20
    rows = bounded.audit()
    assert [row["outcome"] for row in rows] == ["refused"] * (OWN_ROWS + 1)
    assert rows[-1]["reason"].startswith(f"{100 - OWN_ROWS} more in the minute ")
    assert len({(row["actor"], row["role"]) for row in rows}) == 1


def test_failures_do_not_fill_the_log(bounded):
    """What a viewer may try and cannot do is bounded as well: a token has no session to end."""
    call_often(bounded, "viewer", "POST", "/auth/logout", 100)
    write_summaries(bounded)

    outcomes = [row["outcome"] for row in bounded.audit()]
    assert outcomes == ["failed"] * OWN_ROWS + ["failed", "refused"]


def test_changes_past_the_limit_are_one_row(api, clock):
    """Whoever changes too much too fast has to wait, and is one row more; others go on."""
    api.use(audit_limit=AuditRateLimit(clock), writes=RateLimit(3, 60))
    codes = call_often(api, "operator", "POST", "/fleet/pause", 8)
    write_summaries(api)

    assert codes == [200] * 3 + [429] * 5
    rows = api.audit()
    assert [row["outcome"] for row in rows] == ["done"] * 3 + ["refused"]
    assert rows[-1]["reason"].startswith("5 more in the minute ")
    assert api.call("admin", "POST", "/fleet/pause").status_code == 200


def test_namesake_uses_up_no_attempts(api):
    """A Grafana user called like a token of ours has a limit of its own."""
    api.use(writes=RateLimit(1, 60))
    claims = api.grafana.claims("viewer", username="operator-token")
    headers = api.headers("grafana:viewer") | {"X-Grafana-Id": api.grafana.sign(claims)}
    for _ in range(3):
        api.client.post("/api/v1/buttons/fleet-pause", headers=headers)

    assert api.call("operator", "POST", "/fleet/pause").status_code == 200


def test_renewals_are_limited(api, clock):
    """Too many renewals of a login wait, leave one row, and keep the refresh token good."""
    make_user(api.owner, "ada", "viewer", "correct horse")
    api.use(audit_limit=AuditRateLimit(clock), refreshes=RateLimit(2, 60))
    login = {"login": "ada", "password": "correct horse"}
    tokens = api.client.post("/api/v1/auth/login", json=login).json
    codes = []
    for _ in range(5):
        sent = {"refresh_token": tokens["refresh_token"]}
        answer = api.client.post("/api/v1/auth/refresh", json=sent)
        codes.append(answer.status_code)
        tokens = answer.json if answer.status_code == 200 else tokens
    api.use(refreshes=RateLimit(2, 60))
    sent = {"refresh_token": tokens["refresh_token"]}
    write_summaries(api)

    assert codes == [200, 200, 429, 429, 429]
    assert api.audit()[-1]["reason"].startswith("3 more in the minute ")
    assert api.client.post("/api/v1/auth/refresh", json=sent).status_code == 200


def test_large_body_leaves_a_row(lasting_api):
    """Who sends too much is named in the log, as for any other attempt."""
    response = lasting_api.call("admin", "POST", "/jobs", json={"scenario": "x" * SIZE_MAX})

    assert (response.status_code, response.mimetype) == (413, "application/problem+json")
    [row] = lasting_api.audit()
    assert (row["actor"], row["outcome"], row["reason"]) == (
        "admin-token", "failed", "the body is larger than 65536 bytes",
    )  # fmt: skip


def test_unreadable_login_leaves_a_row(lasting_api):
    """A login that cannot be read is an anonymous attempt; nothing that was typed is repeated."""
    response = lasting_api.client.post("/api/v1/auth/login", json={"correct horse": "ada"})

    assert response.status_code == 422
    [row] = lasting_api.audit()
    assert (row["actor"], row["action"], row["reason"]) == (
        "unknown", "auth.login", "invalid value",
    )  # fmt: skip


def test_fault_of_ours_leaves_a_row(lasting_api):
    """A bug in a command is 500 to the caller, and a failed attempt in the log."""

    def fail(*_):
        raise ZeroDivisionError("a secret of the inside")

    broken = replace(fleet.PAUSE, execute=fail)
    view = changes(broken)(lambda: perform(broken, dict))
    lasting_api.app.add_url_rule("/api/v1/broken", view_func=view, methods=["POST"])

    response = lasting_api.call("operator", "POST", "/broken")

    assert (response.status_code, "secret" in response.text) == (500, False)
    [row] = lasting_api.audit()
    assert (row["actor"], row["outcome"], row["reason"]) == (
        "operator-token", "failed", "internal error; see the log of the control API",
    )  # fmt: skip


def test_summaries_are_written_after_a_quiet_minute(bounded, clock):
    """When the minute has ended they appear, though nobody tries anything more."""
    call_often(bounded, "nobody", "POST", "/fleet/pause", 5)
    rows_seen, has_looked = [], Event()

    def is_alive():
        rows_seen.append(len(bounded.audit()))
        clock.now += 60
        if len(rows_seen) == 3:
            has_looked.set()
        return True

    writer = SummaryWriter(bounded.app.extensions["fleet"], is_alive, pause=0.01)
    writer.start()
    assert has_looked.wait(10)
    writer.stop()

    assert rows_seen[:3] == [1, 2, 2]
    assert bounded.audit()[-1]["reason"].startswith("4 more in the minute ")


def test_summaries_of_a_silent_database_stand_in_the_log(bounded, caplog):
    """What cannot be written is not lost without a trace."""
    call_often(bounded, "nobody", "POST", "/fleet/pause", 5)
    away = Database("postgresql://fleet_control@127.0.0.1:1/none")
    bounded.use(database=away)
    with caplog.at_level(logging.ERROR, "fleet_control_api.audit.log"):
        write_summaries(bounded)
    away.close()

    [record] = [r for r in caplog.records if r.name == "fleet_control_api.audit.log"]
    assert record.reason.startswith("4 more in the minute ")


def test_double_click_is_one_change(api):
    """The second press is answered as the first and leaves a row; there is one job."""
    order = {"scenario": "healthcare_billing", "count": "3"}
    first, second = (
        api.call("grafana:editor", "POST", "/buttons/job-submit", query_string=order)
        for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json == second.json
    assert api.owner.execute("SELECT count(*) FROM fleet.jobs").fetchone() == {"count": 1}
    assert [(row["outcome"], row["target"]) for row in api.audit()] == [
        ("done", f"job {first.json['job_id']}")
    ] * 2
    assert api.audit()[1]["reason"].startswith("the same press again")


def test_pause_resume_pause_are_three_changes(api):
    """A press is repeated only when nothing else happened between, by whichever way."""

    def press(verb):
        return api.call("grafana:editor", "POST", f"/buttons/{verb}").json["changed"]

    changed = [press("fleet-pause"), press("fleet-resume"), press("fleet-pause")]
    api.call("operator", "POST", "/fleet/resume")

    assert [*changed, press("fleet-pause")] == [True] * 4


def test_somebody_elses_press_is_no_repeat(api):
    """Two people who press the same button are two presses."""
    order = {"scenario": "healthcare_billing", "count": "3"}
    jobs = {
        api.call(who, "POST", "/buttons/job-submit", query_string=order).json["job_id"]
        for who in ("grafana:editor", "grafana:admin")
    }

    assert len(jobs) == 2
