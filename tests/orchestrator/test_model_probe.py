"""A model is tried at the node's server by its agent before it is set, and then written with."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from fix_fleet import fleet_error, wait_until
from fleet_orchestrator import runtime
from fleet_orchestrator.agent.model_probe import ModelProbes
from fleet_orchestrator.circuit import Circuit
from model_server import Answer
from psycopg.types.json import Jsonb

STATE = "SELECT state, result FROM fleet.model_probes ORDER BY requested_at DESC LIMIT 1"


def want(fleet, model, version=None):
    return fleet.value(
        "SELECT fleet.request_model('alpha', %s, 'ada', 'faster', %s)",
        model, version, user="fleet_control",
    )  # fmt: skip


@pytest.fixture
def try_out(fleet, model_server, tmp_path):
    """Let the agent of alpha try what is wanted, to its end; the state and what it said."""
    probes = ModelProbes(model_server.url, tmp_path)

    def run():
        node = fleet.connection("alpha")

        def is_decided():
            probes.begin(node)
            probes.tell(node)
            return fleet.rows(STATE)[0]["state"] != "requested"

        wait_until(is_decided, "the try is over")
        return tuple(fleet.rows(STATE)[0].values())

    return run


def value_of_alpha(fleet):
    return fleet.rows(
        "SELECT value, origin FROM fleet.effective_config('node:alpha') WHERE key = 'llm_model'"
    )[0]


def test_model_that_answers_is_set(fleet, model_server, try_out):
    """The server offers it and writes a sentence with it: it is the node's setting."""
    model_server.models = ["tiny", "small"]
    want(fleet, "small")

    assert try_out()[0] == "set"
    assert value_of_alpha(fleet) == {"value": "small", "origin": "node:alpha"}
    assert model_server.requests[-1]["model"] == "small"
    (row,) = fleet.rows("SELECT author, reason FROM analytics.config_history")
    assert row == {"author": "ada", "reason": "faster"}
    assert fleet.value("SELECT count(*) FROM telemetry.llm_requests WHERE model = 'small'") == 1
    assert fleet.value("SELECT count(*) FROM analytics.events WHERE kind = 'model_set'") == 1


@pytest.mark.parametrize(
    ("models", "said"),
    [(["tiny"], "does not offer it; it has: tiny"), (["small"], "the model server")],
    ids=["not there", "does not write"],
)
def test_model_that_fails_changes_nothing(fleet, model_server, try_out, models, said):
    """What the server lacks, or cannot write with, is refused; the node keeps its model."""
    model_server.models = models
    model_server.always = Answer("broken")
    want(fleet, "small")

    state, result = try_out()

    assert state == "refused"
    assert said in result
    assert value_of_alpha(fleet) == {"value": "", "origin": "default"}


def test_only_a_tried_model_can_be_set(fleet, model_server, try_out):
    """set_config takes no model that the node has not answered with; later it does, and back."""
    untried = "SELECT fleet.set_config('node:alpha', 'llm_model', %s, 'ada', 'why')"
    with fleet_error("small was not tried at alpha", "POST /nodes/alpha/model"):
        fleet.rows(untried, Jsonb("small"))
    model_server.models = ["tiny", "small"]
    want(fleet, "small")
    try_out()

    fleet.rows(untried, Jsonb(None))
    fleet.rows("SELECT fleet.rollback_config('node:alpha', 'llm_model', NULL, 'ada', 'back')")
    assert value_of_alpha(fleet)["value"] == "small"


def test_newer_wish_and_newer_version_win(fleet, model_server, try_out):
    """A second wish overtakes the first; one for an older version of the setting is refused."""
    model_server.models = ["tiny", "small"]
    want(fleet, "tiny")
    want(fleet, "small", 0)
    assert try_out()[0] == "set"
    first = fleet.rows("SELECT state, result FROM fleet.model_probes ORDER BY requested_at")[0]
    assert first == {"state": "refused", "result": "overtaken by small"}

    want(fleet, "tiny", 0)
    state, result = try_out()
    assert state == "refused"
    assert "by now, not 0" in result


def test_old_wish_expires(fleet):
    """A node that comes back after long does not change its model any more."""
    want(fleet, "small")
    fleet.rows("UPDATE fleet.model_probes SET requested_at = now() - interval '11 minutes'")

    assert fleet.rows("SELECT * FROM fleet.open_model_probe()", user="alpha") == []
    assert fleet.rows(STATE)[0]["state"] == "expired"
    with fleet_error("no node galaxy"):
        fleet.rows("SELECT fleet.request_model('galaxy', 'm', 'ada', '')")
    with fleet_error("model must have 1 to 200 printable characters"):
        want(fleet, " ")


def set_model(fleet, model):
    """Have a model set as if alpha had tried it."""
    fleet.rows(
        "INSERT INTO fleet.model_probes (node, model, state, author, reason, finished_at)"
        " VALUES ('alpha', 'small', 'set', 'ada', '', now())"
    )
    fleet.rows("SELECT fleet.set_config('node:alpha', 'llm_model', %s, 'ada', '')", Jsonb(model))


def test_owner_comes_first(fleet, model_server, try_out, tmp_path):
    """A try would load a model into the memory that a game needs."""
    runtime.write(tmp_path / "state.json", {"mode": "gaming", "throttle_factor": 0.0})
    model_server.models = ["tiny", "small"]
    want(fleet, "small")

    state, result = try_out()

    assert (state, model_server.requests) == ("refused", [])
    assert "its owner plays" in result


def test_game_cuts_a_try(fleet, model_server, try_out, tmp_path, beside):
    """A game that begins during a try ends its call; the model is not set."""
    model_server.models = ["tiny", "small"]
    model_server.always = Answer("late")
    want(fleet, "small")
    trying = beside(try_out)
    wait_until(lambda: model_server.requests, "it is asked")

    runtime.write(tmp_path / "state.json", {"mode": "gaming", "throttle_factor": 0.0})
    trying.join(10)

    assert fleet.rows(STATE)[0]["state"] == "refused"
    assert fleet.value("SELECT outcome FROM analytics.llm_requests") == "aborted"


def test_server_that_lists_nothing_is_tried(fleet, model_server, try_out):
    """Some servers do not say what they have; then the answer decides."""
    want(fleet, "small")

    assert try_out()[0] == "set"


def test_running_conversation_keeps_its_model(fleet, store, worker, model_server, beside):
    """Another place writes with the new model at once; what is known of the old one is not its."""
    fleet.submit(count=2)
    model_server.plan.append(Answer("late"))
    writing = beside(worker.generate_one, store)
    wait_until(lambda: model_server.requests, "the first is being written")

    set_model(fleet, "small")
    with closing(worker.store()) as other:
        worker.generate_one(other)
    model_server.go_on.set()
    writing.join(10)

    written = fleet.rows("SELECT model FROM fleet.conversations ORDER BY created_at")
    assert [row["model"] for row in written] == ["small", "tiny"]
    assert [probe["model"] for probe in model_server.probes] == ["tiny", "small"]
    page = json.loads((worker.runtime_folder / "counters.json").read_text())
    assert page["begun_answer"] == {"model": "small", "does": "continues"}


def test_new_model_is_not_kept_waiting(fleet, store, worker, model_server, beside):
    """The circuit was open for minutes, since the old model fails: the new one is asked at once."""
    fleet.submit()
    store.set_circuit(is_open=True, reason="tiny fails")
    worker.circuit = Circuit(failures=3, waits=9, is_open=True)
    waiting = beside(worker.generate_one, store)

    set_model(fleet, "small")
    worker.look()
    waiting.join(10)

    assert fleet.value("SELECT state FROM analytics.tasks") == "done"
    assert {request["model"] for request in model_server.requests} == {"small"}
    assert fleet.value("SELECT count(*) FROM analytics.events WHERE kind = 'llm_circuit_closed'")


def test_worker_writes_with_the_models_setting(fleet, store, worker, model_server):
    """The next conversation is asked of the model that was set, then of the first one again."""
    fleet.submit(count=2)
    asked = []
    for model in ("small", None):
        set_model(fleet, model)
        worker.generate_one(store)
        asked.append(model_server.requests[-1]["model"])

    assert asked == ["small", "tiny"]
