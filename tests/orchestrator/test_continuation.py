"""Whether a model server continues a begun answer: asked, stored, shown, asked again."""

from __future__ import annotations

import json

import pytest
from fix_fleet import wait_until
from fleet_orchestrator.model_server import continuation
from fleet_orchestrator.model_server.continuation import BEGINNING, decide_continuation
from fleet_orchestrator.model_server.endpoint import Call, EndpointError, Known, connect
from model_server import Answer

DONE = "SELECT count(*) FROM analytics.tasks WHERE state = 'done'"
NODE = "SELECT model, continuation FROM analytics.nodes WHERE node = 'alpha'"
MANNERS = ["continues", "starts_over", "refuses"]


@pytest.fixture
def endpoint(model_server):
    """The endpoint of the test's model server."""
    made = connect(model_server.url, "tiny")
    yield made
    made.client.close()


@pytest.fixture
def run(worker, beside):
    """Start the loop that writes."""
    beside(worker.generate)
    yield
    worker.end()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (' warehouse on Monday."}]}', "continues"),
        ("warehouse", "continues"),
        (continuation.ANSWER, "starts_over"),
        ("Sure! Here it is:", "starts_over"),
        ("", "starts_over"),
        (BEGINNING + " warehouse", "starts_over"),
    ],
)
def test_next_word_decides(answer, found):
    """Who continues says the word that is missing, and not the beginning once more."""
    assert decide_continuation(answer) == found


@pytest.mark.parametrize("manner", MANNERS)
def test_server_shows_its_manner(endpoint, model_server, manner):
    """One short call with the chat of a conversation tells the three apart."""
    model_server.manner = manner

    assert continuation.ask(endpoint, Call("tiny"), lambda: True) == manner

    (asked,) = model_server.probes
    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant"]
    assert (asked["continue_final_message"], asked["max_tokens"]) == (True, 4)


@pytest.mark.parametrize("kind", ["broken", "login_page", "hang_up"])
def test_failure_says_nothing_about_it(endpoint, model_server, kind):
    """A server that fails at everything is not taken for one that refuses to continue."""
    model_server.always = Answer(kind)

    with pytest.raises(EndpointError):
        continuation.ask(endpoint, Call("tiny"), lambda: True)


@pytest.mark.parametrize("manner", MANNERS)
def test_finding_is_stored_and_shown(fleet, worker, model_server, run, manner):
    """The worker asks before its first task; database, node page and doctor's file have it."""
    model_server.manner = manner

    fleet.submit(count=2)
    worker.wake.set()

    wait_until(lambda: fleet.value(DONE) == 2, "both are written")
    assert len(model_server.probes) == 1
    assert fleet.rows(NODE) == [{"model": "tiny", "continuation": manner}]
    path = worker.runtime_folder / "counters.json"
    told = json.loads(wait_until(lambda: path.exists() and path.read_text(), "the file is there"))
    assert told["begun_answer"] == {"model": "tiny", "does": manner}
    probe = "SELECT count(*) FROM analytics.llm_requests WHERE task_id IS NULL"
    assert fleet.value(probe) == 1


def test_server_that_comes_back_is_asked_again(fleet, worker, model_server, run):
    """After the circuit was open the server may be another one; a change is an event."""
    fleet.submit()
    worker.wake.set()
    wait_until(lambda: fleet.value(DONE) == 1, "the first is written")

    model_server.always = Answer("login_page")
    fleet.submit("complaint", 3)
    worker.wake.set()
    wait_until(lambda: worker.circuit.is_open, "the circuit opens")
    model_server.manner, model_server.always = "starts_over", None

    wait_until(lambda: fleet.value(DONE) == 4, "all are written")
    assert fleet.rows(NODE) == [{"model": "tiny", "continuation": "starts_over"}]
    told = "SELECT message FROM analytics.events WHERE kind = 'llm_continuation_changed'"
    assert "continues before, starts_over now" in fleet.value(told)


@pytest.mark.parametrize(("name", "found"), [("qwen", "continues"), ("smollm", None)])
def test_another_model_is_not_known(name, found):
    """The name that answers have is that of the model; with another one the finding is gone."""
    known = Known("qwen", "continues")

    known.see_model(name)

    assert (known.model, known.continuation) == (name, found)


def test_answer_names_its_model(endpoint):
    """The name comes from the server, whatever it was asked for."""
    endpoint.known.continuation = "continues"
    endpoint.known.model = "before"

    continuation.ask(endpoint, Call("tiny"), lambda: True)

    assert endpoint.known == Known("tiny", None)


def test_node_tells_of_itself_only(fleet):
    """Two nodes with the same model have a finding each."""
    fleet.rows("SELECT fleet.set_continuation('tiny', 'continues')", user="alpha")
    fleet.rows("SELECT fleet.set_continuation('tiny', 'refuses')", user="beta")

    rows = fleet.rows("SELECT node, continuation FROM analytics.nodes ORDER BY node")
    found = {row["node"]: row["continuation"] for row in rows}
    assert (found["alpha"], found["beta"]) == ("continues", "refuses")
    assert fleet.rows("SELECT * FROM analytics.events WHERE kind !~ '^job_'") == []
