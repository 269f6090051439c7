"""The rehearsal: what it waits for, what it calls a miss, and what it leaves behind."""

from __future__ import annotations

import json
import threading
from http.server import ThreadingHTTPServer

import fix_fleet
import pytest
from fix_fleet import wait_until
from fix_http import QuietHandler, serving
from fleet_control_api.service.errors import ClientError
from fleet_orchestrator.events.spool import EventSpool
from fleet_twin import faults
from fleet_twin.fleet.programs import tell_programs
from fleet_twin.machine.kinds import list_places
from fleet_twin.rehearse.command import CONTROLS, tidy
from fleet_twin.rehearse.play import Row, Step, choose, play
from fleet_twin.rehearse.scene import RehearsalError, Scene
from fleet_twin.rehearse.sight import Sight, Since, series
from fleet_twin.rehearse.table import render_end, render_row

fleet, module_database = fix_fleet.fleet, fix_fleet.module_database

LOG = """\
2026-11-28 03:50:33,154 INFO spawned: 'master' with pid 7
2026-11-28 03:50:34,154 INFO success: master entered RUNNING state, process has stayed up
2026-11-28 03:50:35,154 WARN exited: master (terminated by SIGKILL; not expected)
"""


class Calls:
    """A control API that notes what it is asked, and refuses some of it."""

    def __init__(self):
        self.asked = []

    def call(self, method, path, body):
        self.asked.append(f"{method} {path}")
        if path.startswith("/jobs"):
            raise ClientError("it has ended")


@pytest.fixture
def scene(fleet, tmp_path):
    """A twin of ten whose control API is not there, nor Prometheus."""
    dsn = fleet.database.dsn()
    return Scene(Calls(), dsn, "http://127.0.0.1:9", tmp_path, list_places(10), dict)


def sight(look, seconds=0.0):
    return Sight("events", "something", look, seconds)


def test_what_is_seen_in_time_is_no_miss(scene):
    """It is looked for again until it is there."""
    answers = [[], [], ["row"]]
    step = Step("one", lambda *_: [sight(lambda _: answers.pop(0), 30)])

    (row,) = play(scene, [step])

    assert (row.is_miss, answers) == (False, [])


def test_what_is_not_seen_is_a_miss(scene):
    """Its time is over, the other things to be seen are looked for all the same."""
    step = Step("one", lambda *_: [sight(lambda _: False), sight(lambda _: True, 30)])

    rows = list(play(scene, [step]))

    assert [row.is_miss for row in rows] == [True, False]


def test_step_that_cannot_be_done_is_a_miss(scene):
    """The table says why, and the rehearsal goes on."""
    steps = [
        Step("one", lambda scene, _: scene.find_node("cray")),
        Step("two", lambda *_: [sight(lambda _: True, 30)]),
    ]

    rows = list(play(scene, steps))

    assert [row.is_miss for row in rows] == [True, False]
    assert "there is no cray-1 in this twin" in rows[0].expected


def test_slow_step_is_done_first_and_looked_for_in_its_turn(scene):
    """What takes minutes to be noticed is under way while the others are rehearsed."""
    order = []
    steps = [
        Step("quick", lambda *_: order.append("quick") or []),
        Step("slow", lambda *_: order.append("slow") or [], is_slow=True),
    ]

    list(play(scene, steps))

    assert order == ["slow", "quick"]


def test_steps_are_chosen_by_name():
    """In the order of the rehearsal; an unknown one is told with what there is."""
    assert [step.name for step in choose(CONTROLS, ["kill master", "submit"])] == [
        "submit", "kill master",
    ]  # fmt: skip
    assert choose(CONTROLS, []) == list(CONTROLS)
    with pytest.raises(RehearsalError, match="there is no step 'sing'; there are submit, "):
        choose(CONTROLS, ["sing"])


def test_events_are_those_after_the_step(scene, fleet):
    """One of before, of another kind or of another node is not taken for what was done."""
    fleet.rows("SELECT fleet.set_fleet_state('paused', 'tests', '')")
    since = Since(scene.value("SELECT clock_timestamp() AS now"))

    assert not since.event("fleet_paused").look(scene)
    fleet.rows("SELECT fleet.set_fleet_state('running', 'tests', '')")
    assert since.event("fleet_resumed").look(scene)
    assert not since.event("fleet_resumed", node="alpha").look(scene)
    assert not since.event("fleet_resumed", "by somebody else").look(scene)


def test_series_is_what_prometheus_answers(scene):
    """A query with a result is seen; nothing, or nobody who answers, is not."""

    answers = [[{"value": [0, "3"]}], []]

    class Handler(QuietHandler):
        def do_GET(self):
            body = {"data": {"result": answers.pop(0)}}
            self.reply(200, json.dumps(body).encode())

    assert not series("up").look(scene)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        scene.prometheus = url
        assert series("up").look(scene) == [3.0]
        assert not series("up").look(scene)


def test_database_that_is_away_has_seen_nothing(scene):
    """The rehearsal kills it, and goes on looking."""
    scene.dsn = "postgresql://127.0.0.1:9/fleet"

    assert scene.rows("SELECT 1") == []
    assert scene.value("SELECT 1") is None


def test_program_that_does_not_run_cannot_be_killed(scene):
    """The step is a miss, not a crash."""
    with pytest.raises(RehearsalError, match="master does not run"):
        scene.kill("master")


def test_twin_is_left_as_it_was(scene, tmp_path):
    """Faults are cleared, jobs cancelled, workers started; what is refused hinders nothing."""
    scene.set_fault("wedged-model", "gamer-1")
    scene.jobs.append("j")
    scene.stopped.add("epyc-1")
    scene.settings.add(("temperature", "fleet"))

    tidy(scene)

    assert faults.read(tmp_path) == {}
    assert scene.remote.asked == [
        "POST /jobs/j/cancel", "POST /nodes/epyc-1/start", "PUT /config/temperature",
        "POST /fleet/resume",
    ]  # fmt: skip


def test_table_says_what_was_missed():
    """A line a sighting; the last one counts."""
    rows = [Row("pause", "fleet_paused", "events", 0.12, 15), Row("kill", "up", "metrics", None, 9)]

    assert render_row(rows[0]).split() == ["pause", "events", "0.1", "15", "ok", "fleet_paused"]
    assert render_row(rows[1]).split() == ["kill", "metrics", "-", "9", "MISS", "up"]
    assert render_end(rows) == "1 of 2 seen in time; missed in kill"
    assert render_end(rows[:1]) == "1 of 1 seen in time"


def test_programs_of_the_home_are_told(fleet, tmp_path):
    """The agents of a twin are elsewhere: the twin tells what the supervisor's log says."""
    (tmp_path / "log").write_text(LOG)
    stop = threading.Event()
    spool = EventSpool(tmp_path / "events.json", "the machine of the twin", tmp_path / "log")
    telling = threading.Thread(target=tell_programs, args=(fleet.database.connect, spool, stop))
    telling.start()
    query = "SELECT message FROM analytics.events WHERE kind = 'program_ended'"
    try:
        told = wait_until(lambda: fleet.rows(query), "the event")
    finally:
        stop.set()
        telling.join()

    assert told[0]["message"].startswith(
        "The master on the machine of the twin (process 7) was killed by SIGKILL"
    )
