"""While the owner plays, the worker lets go at once and asks for nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from fix_fleet import wait_until
from fleet_orchestrator import owner, runtime
from fleet_orchestrator.circuit import Circuit
from fleet_orchestrator.model_server import endpoint
from fleet_orchestrator.owner import LOOK_SECONDS, Owner, read_throttle_factor
from model_server import Answer

GAMING = {"mode": "gaming", "throttle_factor": 0.0}
EMERGENCY = {"mode": "throttling", "throttle_factor": 0.0, "must_cut": True}
HOT = {"mode": "throttling", "throttle_factor": 0.0, "must_cut": False}
IDLE = {"mode": "idle", "throttle_factor": 1.0}
TASKS = "SELECT state, failures, turns_written, attempt FROM analytics.tasks"


def tell(folder, state):
    """Write state.json as the exporter does."""
    runtime.write(folder / "state.json", state)


@pytest.mark.parametrize(
    ("state", "expected"),
    [(GAMING, True), (EMERGENCY, True), (HOT, False), (IDLE, False), ({}, False)],
    ids=["gaming", "emergency", "hot", "idle", "nothing"],
)
def test_only_some_states_cut(tmp_path, state, expected):
    """A game and an emergency end the running call; heat alone lets it end by itself."""
    tell(tmp_path, state)

    assert Owner(tmp_path).has_cut() is expected


def test_silent_exporter_cuts_nothing(tmp_path):
    """A state of half a minute ago, or none, says nothing about now."""
    old = datetime.now(UTC) - timedelta(seconds=31)
    text = json.dumps({"version": 1, "time": old.isoformat(), **GAMING})
    nobody = Owner(tmp_path).has_cut()
    (tmp_path / "state.json").write_text(text)

    assert (nobody, Owner(tmp_path).has_cut()) == (False, False)


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 1}', '{"throttle_factor": "much"}'])
def test_unusable_state_file_does_not_throttle(tmp_path, content):
    """Without a fresh word of the exporter the worker works."""
    (tmp_path / "state.json").write_text(content)

    assert read_throttle_factor(tmp_path) == 1.0


@pytest.mark.parametrize(("last", "factor"), [(1, 0.6), (0.5, 0.5), (0, 0)])
def test_silent_exporter_makes_the_worker_careful(tmp_path, last, factor):
    """Nobody watches the heat: the last factor stands, and is at most that of a warm device."""
    old = (datetime.now(UTC) - timedelta(seconds=31)).isoformat()
    content = {"version": 1, "time": old, "throttle_factor": last}
    (tmp_path / "state.json").write_text(json.dumps(content))

    assert read_throttle_factor(tmp_path) == factor


def test_file_is_read_a_few_times_a_second(tmp_path):
    """However often it is asked, it looks again only after a quarter of a second."""
    now = [0.0]
    owner = Owner(tmp_path, lambda: now[0])
    seen = [owner.has_cut()]
    tell(tmp_path, GAMING)
    for now[0] in (LOOK_SECONDS / 2, LOOK_SECONDS):
        seen.append(owner.has_cut())

    assert seen == [False, False, True]


def test_cut_stays_cut(tmp_path):
    """A game that ends within the second does not make half a conversation go on."""
    now = [0.0]
    owner = Owner(tmp_path, lambda: now[0])
    tell(tmp_path, GAMING)
    assert owner.has_cut()
    tell(tmp_path, IDLE)
    now[0] = 10.0

    assert owner.has_cut()


def test_a_second_is_enough():
    """A silent server and our own looking around take less than a second together."""
    assert owner.LOOK_SECONDS + endpoint.LOOK_SECONDS < 1


@pytest.mark.parametrize("does", ["continues", "starts_over"])
@pytest.mark.parametrize("kind", ["hang", "silent", "drip"])
def test_game_cuts_the_running_call(fleet, worker, attempt, model_server, *, beside, kind, does):
    """Whatever the server does: the call is aborted, the task given back with its turns."""
    worker.endpoint.known.continuation = does
    turns = 0 if kind == "silent" else 2
    model_server.plan.append(Answer(kind, turns))
    fleet.submit(min_turns=6, max_turns=6)
    writing = beside(attempt)
    count = "SELECT count(*) FROM fleet.turns"
    wait_until(lambda: model_server.requests and fleet.value(count) == turns, "it writes")

    tell(worker.runtime_folder, GAMING)
    writing.join(10)

    assert fleet.rows(TASKS) == [
        {"state": "pending", "failures": 0, "turns_written": turns, "attempt": 1}
    ]
    last = "SELECT outcome FROM analytics.llm_requests ORDER BY time DESC LIMIT 1"
    assert fleet.value(last) == "aborted"
    if kind == "drip":
        assert model_server.hung_up.wait(10), "the server goes on writing"


def test_nothing_is_claimed_until_the_game_is_over(fleet, worker, model_server, beside):
    """While the owner plays nobody is asked; afterwards the conversation is continued."""
    model_server.plan.append(Answer("hang", 2))
    fleet.submit(min_turns=6, max_turns=6)
    beside(worker.generate)
    wait_until(lambda: fleet.value("SELECT count(*) FROM fleet.turns") == 2, "two turns are there")
    tell(worker.runtime_folder, GAMING)
    wait_until(lambda: fleet.rows(TASKS)[0]["state"] == "pending", "the task is given back")
    for _ in range(2):  # the second wake-up is taken only after the loop has gone round
        worker.wake.set()
        wait_until(lambda: not worker.wake.is_set(), "the worker looks around")
    assert len(model_server.requests) == 3  # two turns are there, one was cut

    tell(worker.runtime_folder, IDLE)
    worker.wake.set()

    wait_until(lambda: fleet.rows(TASKS)[0]["state"] == "done", "the conversation is written")
    worker.end()
    attempts = fleet.rows("SELECT attempt FROM fleet.turns ORDER BY position")
    assert [row["attempt"] for row in attempts] == [1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("ask", ["canary", "continuation"])
def test_game_cuts_what_is_asked_of_the_server(fleet, worker, store, model_server, *, beside, ask):
    """Also a short call heats the card; nobody failed, and it is asked again after the game."""
    model_server.always = Answer("silent")
    if ask == "canary":
        asking = beside(worker.ask_canary, store)
    else:
        fleet.submit()
        asking = beside(worker.generate_one, store)
    wait_until(lambda: model_server.requests or model_server.probes, "it asks")

    tell(worker.runtime_folder, GAMING)
    asking.join(10)

    assert not asking.is_alive()
    assert not worker.circuit.is_open
    assert fleet.value("SELECT outcome FROM analytics.llm_requests") == "aborted"
    assert fleet.rows("SELECT * FROM analytics.task_failures") == []


def test_no_canary_is_sent_while_the_owner_plays(worker, store, model_server, beside):
    """The game began while the circuit's wait went on."""
    worker.circuit = Circuit(failures=3, is_open=True)
    tell(worker.runtime_folder, GAMING)

    asking = beside(worker.generate_one, store)
    while asking.is_alive():
        worker.wake.set()
        asking.join(0.1)

    assert model_server.requests == []
    assert worker.circuit.is_open
