"""A sick model server costs no task, and a poison task no more than itself."""

from __future__ import annotations

import json
import uuid

import pytest
from fix_fleet import wait_until
from fleet_orchestrator.blame import decide_failure
from fleet_orchestrator.generation.conversation import BadAnswerError, StoppedError
from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.model_server.endpoint import connect
from fleet_orchestrator.model_server.quoting import hide_prompt
from fleet_orchestrator.store import Store
from fleet_orchestrator.worker import Worker
from model_server import Answer, serve

OPEN_TASKS = "SELECT count(*) FROM analytics.tasks WHERE state NOT IN ('done', 'failed')"
CIRCUIT_EVENTS = "SELECT kind FROM analytics.events WHERE kind ~ '^llm_circuit' ORDER BY time"
STATES = "SELECT state, count(*)::int AS n FROM analytics.tasks GROUP BY state"
LOGIN_PAGE = Answer("login_page")


@pytest.fixture
def second_worker(fleet, tmp_path):
    """A worker of node beta with a model server of its own; its loops are not started."""
    folder, worker_id = tmp_path / "beta", uuid.uuid4()
    folder.mkdir()
    with serve() as server:
        endpoint = connect(server.url, "tiny")
        worker = Worker(
            lambda: Store(lambda: fleet.database.connect("beta"), worker_id), endpoint, folder
        )
        yield worker, server
        worker.end()
        endpoint.client.close()


def is_told_open(worker):
    """What the exporter would publish of the circuit."""
    rows = json.loads((worker.runtime_folder / "counters.json").read_text())["counters"]
    return [row["value"] for row in rows if row["name"] == "fleet_llm_circuit_open"] == [1]


def test_sick_node_does_not_eat_the_queue(fleet, worker, model_server, second_worker, beside):
    """Beside a node whose server shows a login page, the other writes all 200 conversations."""
    sick, sick_server = second_worker
    model_server.manner = "starts_over"  # fewer calls for as many conversations
    sick_server.always = LOGIN_PAGE
    fleet.submit("mixed", 200)
    beside(sick.generate)
    wait_until(lambda: sick.circuit.is_open, "the sick node stops claiming")

    beside(worker.generate)
    wait_until(lambda: fleet.value(OPEN_TASKS) == 0, "all tasks have ended", 90)
    worker.end()
    sick.end()

    assert fleet.rows(STATES) == [{"state": "done", "n": 200}]
    claims = fleet.value("SELECT sum(attempt)::int FROM analytics.tasks")
    assert claims - 200 <= 5  # its first failures; of those after them it gets none
    told = fleet.value("SELECT message FROM analytics.events WHERE kind = 'llm_circuit_opened'")
    assert "please log in" in told


def test_server_that_recovers_is_used_again(fleet, worker, model_server, beside):
    """While it is sick the tasks wait unblamed; an answered canary call brings the node back."""
    model_server.always = LOGIN_PAGE
    fleet.submit(count=5)
    beside(worker.generate)
    wait_until(
        lambda: fleet.value("SELECT count(*) FROM fleet.task_failures WHERE NOT counts") == 3,
        "a canary call has failed too",
    )
    assert is_told_open(worker)

    model_server.always = None

    wait_until(lambda: fleet.rows(STATES) == [{"state": "done", "n": 5}], "all are written")
    wait_until(lambda: not is_told_open(worker), "the circuit is told closed")
    worker.end()
    assert fleet.value("SELECT max(failures) FROM analytics.tasks") == 0
    assert [row["kind"] for row in fleet.rows(CIRCUIT_EVENTS)] == [
        "llm_circuit_opened",
        "llm_circuit_closed",
    ]


def test_poison_task_is_a_dead_letter_at_one_node(fleet, worker, model_server, beside):
    """Among 50 good ones, a task that the server always refuses ends after its third failure."""
    fleet.submit(count=51)
    poison = fleet.rows("SELECT t.*, s.definition FROM fleet.tasks t JOIN fleet.scenarios s "
                        "USING (scenario) WHERE position = 20")[0]  # fmt: skip
    values = make_persona(poison["definition"], poison["seed"])["values"]
    model_server.poison = values["reference_number"]

    beside(worker.generate)
    wait_until(lambda: fleet.value(OPEN_TASKS) == 0, "all tasks have ended")
    worker.end()

    states = {row["state"]: row["n"] for row in fleet.rows(STATES)}
    assert states == {"done": 50, "failed": 1}
    assert fleet.value("SELECT position FROM analytics.tasks WHERE state = 'failed'") == 20
    assert fleet.value("SELECT count(*) FROM analytics.task_failures WHERE counts") == 3


def test_nobody_failed_when_we_were_told_to_stop():
    """A stop, a pause or an owner who plays is no failure of anybody."""
    assert decide_failure(StoppedError()).kind is None


@pytest.mark.parametrize(
    ("error", "kind"), [(BadAnswerError("turn 3"), "bad_answer"), (KeyError("x"), "internal_error")]
)
def test_failures_have_a_kind(error, kind):
    """What the model got wrong and what we got wrong have words of their own."""
    assert decide_failure(error).kind == kind


def test_words_of_the_prompt_are_hidden():
    """A server that quotes its request tells no word of it, and keeps its own."""
    messages = [{"role": "user", "content": "The customer is Imani Okafor, born in 1958."}]

    told = hide_prompt('context too small for "customer is IMANI Okafor, born in 1958"', messages)

    assert told == 'context too small for "… is … in …"'


def test_words_at_the_beginning_of_a_line_are_hidden_too():
    """Also a server that quotes its request as JSON, line breaks escaped, tells no word of it."""
    messages = [{"role": "user", "content": "Briefly.\nPeople talk.\tThen:\n1. agent: Okafor"}]

    told = hide_prompt(json.dumps({"error": json.dumps(messages)}), messages)

    assert [word for word in ("People", "Then", "1.", "Okafor") if word in told] == []


def test_absence_while_the_server_is_asked_loses_no_task(fleet, worker, absent_at):
    """The database goes away between claim and first word: the task is written all the same."""
    fleet.submit()

    worker.generate_one(absent_at("record", "set_continuation"))

    assert fleet.rows(STATES) == [{"state": "done", "n": 1}]
    asked = "SELECT count(*) FROM analytics.llm_requests WHERE task_id IS NULL"
    assert fleet.value(asked) == 1


def test_circuit_is_told_after_an_absence(fleet, worker, store, model_server, absent_at):
    """A circuit that opens and closes while the database is away is told when it is back."""
    model_server.always = LOGIN_PAGE
    fleet.submit(count=3)
    for _ in range(2):
        worker.generate_one(store)

    worker.generate_one(absent_at("set_circuit"))
    model_server.always = None
    worker.generate_one(absent_at("record", "decide_failures", "set_circuit"))

    assert [row["kind"] for row in fleet.rows(CIRCUIT_EVENTS)] == [
        "llm_circuit_opened",
        "llm_circuit_closed",
    ]
    assert not worker.circuit.is_open


def test_canary_without_an_end_is_no_answer(fleet, worker, store, model_server, monkeypatch):
    """A server that says nothing until the deadline does not answer again."""
    monkeypatch.setattr("fleet_orchestrator.model_server.canary.SECONDS_MAX", 0.1)
    model_server.always = Answer("comments")

    worker.ask_canary(store)

    assert worker.circuit.is_open
    told = fleet.value("SELECT message FROM analytics.events WHERE kind = 'llm_circuit_opened'")
    assert "did not end its answer within 0.1 s" in told
