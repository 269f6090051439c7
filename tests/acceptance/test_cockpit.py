"""
The dashboards in a real Grafana, seen and pressed in a real browser by people of all three roles.

A home with simulated machines and an invented past serves all tests. Pictures of what was seen lie
in FLEET_HOME/screenshots, or in FLEET_TEST_SCREENSHOTS=FOLDER, which outlives the home.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from fleet_dashboards import build
from fleet_stack.parts.programs import find_programs
from visitor import (
    PHONE,
    PROXY,
    WIDE,
    Visitor,
    find_button,
    find_chromium,
    read_dashboard,
    start_browser,
)

pytestmark = pytest.mark.acceptance
UIDS = sorted(Path(name).stem for name in build.dashboards())
SCREEN = 1600  # pixels: enough for the buttons and the tables beside them
STORED = 120  # seconds: a minute is complete one minute after its end, a busy machine needs more
SEEN = 60  # seconds for an effect that is there within five
CONVERSATION = """
SELECT conversation_id FROM analytics.conversations WHERE job_id = %s ORDER BY created_at LIMIT 1"""
WRITTEN = "SELECT count(*) FROM analytics.conversations WHERE job_id = %s"
MINUTES = "SELECT count(*) FROM analytics.generation_1m WHERE time > now() - interval '10 minutes'"
AUDIT = "SELECT action, actor, outcome FROM analytics.audit WHERE reason = %s"
CONTROLS, ACTIONS = "Pause, resume, stop", "Recent control actions"
REFUSED_SQL = [
    ("SELECT text FROM fleet.turns", "permission denied"),
    ("SELECT password_hash FROM control.users", "permission denied"),
    ("CREATE TEMP TABLE mine AS SELECT 1", "read-only transaction"),
    ("SET transaction_read_only = off; CREATE TEMP TABLE mine AS SELECT 1", "permission denied"),
    ("SET transaction_read_only = off; DELETE FROM analytics.events", "permission denied"),
    ("SELECT lo_create(0)", "permission denied"),
    ("SELECT pg_read_file('/etc/passwd')", "permission denied"),
    ("SELECT pg_sleep(60)", "statement timeout"),
]
each_dashboard = pytest.mark.parametrize("uid", UIDS)
each_may = pytest.mark.parametrize("login", ["operator", "admin"])


@pytest.fixture(scope="module")
def browser():
    path = find_chromium()
    if path is None:
        pytest.skip("Grafana's pages need a Chromium on PATH; on Debian: apt-get install chromium")
    with start_browser(path) as browser:
        yield browser


@pytest.fixture(scope="module")
def cockpit(twin, browser):
    """Four machines that have worked for a day and go on, and a Grafana that shows them."""
    offline = {**os.environ, "FLEET_OFFLINE": "1"}
    program = find_programs(offline, lambda _: None, ("grafana",))["grafana"]
    if program.path is None:
        pytest.skip(f"no Grafana here: {program.reason}")
    twin.run("up", "--twin", "4", "--no-first-job")
    twin.run("twin", "history", "--days", "1")
    return twin


@pytest.fixture(scope="module")
def job(cockpit):
    """An order that is being written; what was written of it has its verdict."""
    job = cockpit.submit("mixed", 500)
    cockpit.wait_for("conversations", lambda: cockpit.number(WRITTEN, job) >= 3, STORED)
    cockpit.wait_for("a complete minute", lambda: cockpit.number(MINUTES) > 0, STORED)
    return job


@pytest.fixture(scope="module")
def visit(cockpit, browser):
    """Sign in: once a person and width, as people stay signed in."""
    logins = cockpit.run("logins").stdout
    url = cockpit.exports["FLEET_GRAFANA_URL"]
    known = {}

    def visit(login, width=WIDE):
        if (login, width) not in known:
            password = re.search(rf"^ +{login} +(\S+)", logins, re.MULTILINE)[1]
            known[login, width] = Visitor(browser, url, login, password, width)
        return known[login, width]

    return visit


@pytest.fixture(scope="module")
def pictures(cockpit):
    return Path(os.environ.get("FLEET_TEST_SCREENSHOTS") or cockpit.home / "screenshots")


@pytest.fixture
def reason(request):
    """A reason by which the presses of this test are found again."""
    return f"for {request.node.name}"


@pytest.fixture(scope="module")
def look_at(cockpit, visit, job, pictures):
    """Open a dashboard as admin, keep a picture, return its panels; once a dashboard and width."""
    links = {
        "fleet-conversation": {
            "conversation": str(cockpit.sql(CONVERSATION, job)[0]["conversation_id"])
        },
        "fleet-job": {"job": job},
        "fleet-node": {"node": "gamer-1"},
    }
    seen = {}

    def look_at(uid, width):
        if (uid, width) not in seen:
            visitor = visit("admin", width)
            seen[uid, width] = visitor.open(uid, **links.get(uid, {}))
            visitor.photograph(pictures / f"{uid}-{width}.png")
        return seen[uid, width]

    return look_at


@each_dashboard
@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_every_panel_shows_something(look_at, visit, uid, width):
    """No panel has an error badge, is empty or stays at loading; no script of the page fails."""
    panels = look_at(uid, width)

    assert {panel.number for panel in panels} == {
        panel["id"] for panel in read_dashboard(uid)["panels"]
    }
    assert [panel for panel in panels if panel.has_error] == []
    assert [panel for panel in panels if "No data" in panel.text] == []
    assert visit("admin", width).faults == []


@each_dashboard
def test_no_button_is_cut_off(look_at, uid):
    """Also with Grafana's menu open beside the page."""
    assert [(panel.number, panel.cut) for panel in look_at(uid, WIDE) if panel.cut] == []


def test_no_button_is_cut_off_on_a_phone(look_at):
    """On the page that is made for it."""
    assert [panel for panel in look_at("fleet-phone", PHONE) if panel.cut] == []


def test_grafana_logs_no_error(look_at, cockpit):
    """Neither while it read what it was given, nor while it answered the panels."""
    log = (cockpit.home / "logs" / "grafana.log").read_text()

    assert [line for line in log.splitlines() if "level=error" in line] == []


@pytest.fixture
def overview(visit):
    """Open the overview as a person, down to the first tables."""

    def open_as(login):
        visitor = visit(login)
        visitor.open("fleet-overview", height=SCREEN)
        return visitor

    return open_as


@pytest.fixture
def running(cockpit):
    """The fleet runs before and after."""
    yield cockpit.api("POST", "/fleet/resume")
    cockpit.api("POST", "/fleet/resume")


def state_of(cockpit):
    return cockpit.sql("SELECT state FROM analytics.fleet_state")[0]["state"]


def tries_of(cockpit, reason):
    """What the audit log says of the presses with this reason."""
    rows = cockpit.sql(AUDIT, reason)
    return [(row["action"], row["actor"], row["outcome"]) for row in rows]


def is_told(cockpit, visitor, *words):
    """Wait until the panel of recent actions has a row with these words."""
    cockpit.wait_for("the row", lambda: visitor.sees_row(ACTIONS, *words), SEEN)
    return True


@each_may
def test_pause_and_resume(cockpit, overview, running, reason, login):
    """They do it, and who, what and why stand under the recent actions."""
    visitor = overview(login)
    assert visitor.press(visitor.panel(CONTROLS), "Pause", reason) == 200
    assert state_of(cockpit) == "paused"
    assert is_told(cockpit, visitor, login, "fleet.pause", "done", reason)

    assert visitor.press(visitor.panel(CONTROLS), "Resume", reason) == 200
    assert state_of(cockpit) == "running"
    assert is_told(cockpit, visitor, login, "fleet.resume", "done", reason)


@each_may
def test_emergency_stop_needs_its_word(cockpit, overview, running, reason, login):
    """Another word stops nothing, and that is told as well."""
    visitor = overview(login)
    assert visitor.press(visitor.panel(CONTROLS), "EMERGENCY STOP", "stop", reason) == 422

    assert state_of(cockpit) == "running"
    assert is_told(cockpit, visitor, login, "fleet.emergency-stop", "failed")


@each_may
def test_emergency_stop(cockpit, overview, running, reason, login):
    """With STOP typed nobody writes any more."""
    visitor = overview(login)
    assert visitor.press(visitor.panel(CONTROLS), "EMERGENCY STOP", "STOP", reason) == 200

    assert state_of(cockpit) == "stopped"
    assert is_told(cockpit, visitor, login, "fleet.emergency-stop", "done", reason)


@each_may
def test_button_of_a_row_acts_on_its_job(cockpit, visit, job, reason, login):
    """The job of that row is paused, no other."""
    other = cockpit.submit("complaint", 400)
    visitor = visit(login)
    visitor.open("fleet-jobs", height=SCREEN)
    assert visitor.press(visitor.row("Open jobs", job), "Pause", reason) == 200

    paused = cockpit.sql("SELECT job_id::text FROM analytics.jobs WHERE state = 'paused'")
    assert [row["job_id"] for row in paused] == [job]
    assert tries_of(cockpit, reason) == [("jobs.pause", login, "done")]
    for verb, each in (("resume", job), ("cancel", other)):
        cockpit.api("POST", f"/jobs/{each}/{verb}")


def test_viewer_has_dead_buttons(cockpit, overview):
    """A canvas draws them for everybody; a press asks nothing."""
    visitor = overview("viewer")
    find_button(visitor.panel(CONTROLS), "Pause").click()
    visitor.refresh()

    assert not visitor.has_dialog()


def test_viewer_has_no_buttons_in_tables(visit, job):
    """The row is there, its buttons are not."""
    visitor = visit("viewer")
    visitor.open("fleet-jobs", height=SCREEN)

    row = visitor.row("Open jobs", job)
    assert row.count() == 1
    assert find_button(row, "Pause").count() == 0


@pytest.mark.parametrize("verb", ["fleet-pause", "fleet-emergency-stop"])
def test_viewer_is_refused_by_hand(cockpit, overview, reason, verb):
    """The request that a button would send is answered 403; who tried is told."""
    visitor = overview("viewer")
    status, _ = visitor.post(f"{PROXY}/{verb}", reason=reason, confirm="STOP")

    assert status == 403
    assert state_of(cockpit) == "running"
    assert is_told(cockpit, visitor, "viewer", "refused")


@pytest.mark.parametrize(("text", "why"), REFUSED_SQL)
def test_viewer_is_refused_sql(visit, text, why):
    """Who may open a dashboard may send any SQL; the database says no."""
    status, answer = visit("viewer").sql(text)

    assert status == 400, answer
    assert why in answer


def test_viewer_reads_analytics_by_hand(visit):
    """So the refusals above are those of the database, not of a wrong request."""
    status, answer = visit("viewer").sql("SELECT count(*) AS n FROM analytics.nodes")

    assert (status, '"values":[[4]]' in answer) == (200, True), answer
