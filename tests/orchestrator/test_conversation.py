"""Writing one conversation: real database, a model server that behaves and one that does not."""

from __future__ import annotations

import time

import pytest
from fix_fleet import wait_until
from fleet_orchestrator.generation.endpoint import connect
from fleet_orchestrator.generation.persona import make_persona
from model_server import Answer

CALLS = "SELECT * FROM analytics.llm_requests ORDER BY time"
TASKS = "SELECT * FROM analytics.tasks"
TURNS = "SELECT position, speaker, text, attempt FROM fleet.turns ORDER BY position"


@pytest.fixture(autouse=True)
def order(fleet):
    """One conversation of six turns is wanted."""
    return fleet.submit("healthcare_billing", min_turns=6, max_turns=6)


@pytest.fixture
def hang(fleet, attempt, model_server, beside):
    """Let an attempt hang after two turns, or before the answer; returns its thread."""

    def start(kind="hang"):
        model_server.plan.append(Answer(kind, 2))
        thread, turns = beside(attempt), 2 if kind == "hang" else 0
        wait_until(
            lambda: (
                model_server.requests and fleet.value("SELECT count(*) FROM fleet.turns") == turns
            ),
            "the answer hangs",
        )
        return thread

    return start


def test_conversation_is_stored_turn_by_turn(fleet, attempt):
    """A good answer becomes six alternating turns and one finished task."""
    assert attempt()

    turns = fleet.rows(TURNS)
    assert [turn["position"] for turn in turns] == [1, 2, 3, 4, 5, 6]
    assert [turn["speaker"] for turn in turns] == ["agent", "customer"] * 3
    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["failures"], task["turns_written"]) == ("done", 0, 6)


def test_tokens_are_those_of_the_server(fleet, attempt, model_server):
    """The call's row and the conversation have the tokens that the server counted."""
    attempt()

    (call,) = fleet.rows(CALLS)
    assert call["prompt_tokens"] == model_server.prompt_tokens > 0
    assert call["completion_tokens"] == model_server.completion_tokens > 0
    assert (call["outcome"], call["model"], call["node"]) == ("ok", "tiny", "alpha")
    assert 0 < call["time_to_first_token_seconds"] <= call["duration_seconds"]
    (made,) = fleet.rows("SELECT * FROM fleet.conversations")
    assert made["completion_tokens"] == model_server.completion_tokens


def test_request_is_what_the_settings_say(fleet, attempt, model_server):
    """Temperature and length come from the configuration; the schema is strict."""
    fleet.set("temperature", 0.3)
    fleet.set("turn_characters_max", 150)

    attempt()

    (request,) = model_server.requests
    assert (request["temperature"], request["model"]) == (0.3, "tiny")
    schema = request["response_format"]["json_schema"]
    assert schema["strict"] is True
    items = schema["schema"]["properties"]["turns"]["prefixItems"]
    assert [item["properties"]["text"]["maxLength"] for item in items] == [150] * 6


def test_cut_answer_is_continued(fleet, attempt, model_server):
    """After a cut the stored turns stay as they are and only the others are asked for."""
    model_server.plan.append(Answer("cut", 3))

    assert not attempt()
    before = fleet.rows(TURNS)
    fleet.rows("UPDATE fleet.tasks SET not_before = now()")
    assert attempt()

    assert [turn["position"] for turn in before] == [1, 2, 3]
    assert fleet.rows(TURNS)[:3] == before
    assert [turn["attempt"] for turn in fleet.rows(TURNS)] == [1, 1, 1, 2, 2, 2]
    first, second = model_server.requests
    schema = second["response_format"]["json_schema"]["schema"]["properties"]["turns"]
    assert schema["minItems"] == 3
    assert before[2]["text"] in second["messages"][-1]["content"]
    assert first["seed"] != second["seed"]
    assert [call["outcome"] for call in fleet.rows(CALLS)] == ["error", "ok"]
    assert fleet.rows(CALLS)[0]["completion_tokens"] > 0


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer("cut", 1), "the model server failed (APIConnectionError)"),
        (Answer("broken"), "the model server answered 500"),
        (Answer("not_json"), "the model server failed (JSONDecodeError)"),
    ],
    ids=["cut", "500", "no JSON"],
)
def test_fault_of_the_server_does_not_count(fleet, attempt, model_server, answer, told):
    """A server that breaks is no reason to give a task up, but others go first for a while."""
    model_server.plan.append(answer)

    assert not attempt()

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["failures"]) == ("pending", 0)
    assert told in task["error"]
    (call,) = fleet.rows(CALLS)
    assert call["outcome"] == "error"
    assert call["duration_seconds"] > 0
    assert fleet.claim() == []
    fleet.submit("complaint", 1)
    (other,) = fleet.claim()
    assert fleet.task(other)["scenario"] == "complaint"


def test_request_that_the_server_refuses_counts(fleet, attempt, model_server):
    """A server that lives but will not have this request: the task is at fault, not the server."""
    model_server.plan.append(Answer("refused"))

    assert attempt()

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["failures"]) == ("pending", 1)
    assert "answered 400" in task["error"]


def test_server_that_is_down_does_not_count(fleet, worker, attempt):
    """Nobody listens: the call is recorded as an error and the task is as it was."""
    worker.endpoint = connect("http://127.0.0.1:9/v1", "tiny")

    assert not attempt()

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["failures"]) == ("pending", 0)
    assert task["error"].startswith("the model server failed (APIConnectionError)")
    (call,) = fleet.rows(CALLS)
    assert (call["outcome"], call["prompt_tokens"], call["completion_tokens"]) == ("error", 0, 0)
    worker.endpoint.client.close()


@pytest.mark.parametrize(
    "bad",
    [
        (Answer("few", 4), 4, "ended after 4 of 6 turns"),
        (Answer("wrong_speaker", 2), 2, "turn 3 of the answer is no turn"),
        (Answer("refusal"), 0, "ended after 0 of 6 turns"),
    ],
    ids=["too few turns", "wrong speaker", "no turns"],
)
def test_bad_answer_counts_and_keeps_good_turns(fleet, attempt, model_server, bad):
    """What the model got wrong is a failure of the task; the turns before it stay."""
    answer, kept, told = bad
    model_server.plan.append(answer)

    assert attempt()

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["failures"], task["turns_written"]) == ("pending", 1, kept)
    assert told in task["error"]
    (call,) = fleet.rows(CALLS)
    assert call["outcome"] == "invalid"
    assert call["duration_seconds"] > 0


def test_third_bad_answer_is_a_dead_letter(fleet, attempt, model_server):
    """A task that no answer fits is given up after three attempts, and counted."""
    model_server.plan.extend([Answer("refusal")] * 3)

    for _ in range(3):
        attempt()
        fleet.let_leases_end()

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["failures"]) == ("failed", 3)
    assert fleet.counters("fleet_conversations_total") == {("failed", "healthcare_billing"): 1}
    assert len(model_server.requests) == 3


def test_written_conversation_is_only_finished(fleet, attempt, model_server):
    """When all turns are there, and only the end was lost, the model is not asked again."""
    attempt()
    fleet.rows("DELETE FROM fleet.conversations")
    fleet.rows("UPDATE fleet.tasks SET state = 'pending', finished_at = NULL")

    assert attempt()

    assert len(model_server.requests) == 1
    assert fleet.value("SELECT turns FROM fleet.conversations") == 6


@pytest.mark.parametrize("kind", ["hang", "silent"])
def test_stop_gives_the_task_back(fleet, worker, hang, kind):
    """Told to stop while the server says nothing: given back soon, turns kept, no failure."""
    writing = hang(kind)

    worker.end()
    started = time.monotonic()
    writing.join(10)

    assert time.monotonic() - started < 4  # the agent kills a worker that takes longer
    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["failures"]) == ("pending", 0)
    assert task["turns_written"] == (2 if kind == "hang" else 0)
    (call,) = fleet.rows(CALLS)
    assert call["outcome"] == "aborted"
    assert call["duration_seconds"] > 0


def test_hanging_server_meets_the_deadline(fleet, attempt, model_server):
    """No end within request_seconds_max is a failure of the attempt."""
    model_server.plan.append(Answer("hang", 2))

    assert attempt(request_seconds_max=0.3)

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["failures"], task["turns_written"]) == ("pending", 1, 2)
    assert "no end after 0.3 s (setting request_seconds_max)" in task["error"]
    assert fleet.rows(CALLS)[0]["outcome"] == "aborted"


def test_cancelled_job_drops_the_work(fleet, order, hang):
    """The lease is not renewed any more: the call is cut and nothing else is stored."""
    fleet.set("lease_seconds", 1)
    writing = hang()

    fleet.rows("SELECT fleet.cancel_job(%s)", order)
    writing.join(10)

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["turns_written"]) == ("cancelled", 2)
    assert fleet.rows("SELECT * FROM fleet.conversations") == []
    assert fleet.rows(CALLS)[0]["outcome"] == "aborted"


def test_lost_task_is_dropped(fleet, worker, hang):
    """A task that the sweep gave to another node is not touched any more."""
    writing = hang()

    fleet.let_leases_end()
    fleet.rows("SELECT fleet.sweep_tasks()")
    fleet.let_leases_end()
    other = fleet.claim_one("beta")
    worker.end()
    writing.join(10)

    task = fleet.task(other)
    assert (task["state"], task["node"], task["failures"]) == ("claimed", "beta", 1)


def test_error_of_the_server_is_told_without_personal_values(fleet, attempt, model_server):
    """A server that quotes the prompt in its error does not put a name before readers."""
    model_server.plan.append(Answer("broken"))

    attempt()

    (task,) = fleet.rows("SELECT * FROM fleet.tasks")
    (request,) = model_server.requests
    definition = fleet.value("SELECT definition FROM fleet.scenarios WHERE scenario = %s",
                             "healthcare_billing")  # fmt: skip
    persona = make_persona(definition, task["seed"])
    assert persona["values"]["agent_name"] in request["messages"][-1]["content"]
    assert persona["values"]["agent_name"] not in task["error"]
    assert "answered 500" in task["error"]
