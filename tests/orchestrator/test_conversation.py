"""Writing a conversation in one call: real database, a model server that behaves or does not."""

from __future__ import annotations

import time

import pytest
from fix_fleet import wait_until
from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.model_server.endpoint import connect
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
    assert attempt() is None

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

    assert attempt()
    before = fleet.rows(TURNS)
    fleet.decide(can_write=False)
    assert attempt() is None

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
    ("answer", "failure"),
    [
        (Answer("cut", 1), ("broken_stream", "the model server broke its answer off")),
        (Answer("broken"), ("http_error", "the model server answered 500")),
        (Answer("refused"), ("refused_request", "the model server answered 400")),
        (Answer("not_json"), ("not_a_stream", "the model server answered, but not as")),
    ],
    ids=["cut", "500", "400", "no JSON"],
)
def test_failed_call_is_written_down(fleet, attempt, model_server, answer, failure):
    """Kind and sentence of a failed call are kept, and the task is for others at once."""
    kind, told = failure
    model_server.plan.append(answer)

    assert attempt() == kind

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["failures"]) == ("pending", 0)
    assert told in task["error"]
    (call,) = fleet.rows(CALLS)
    assert call["outcome"] == "error"
    assert call["duration_seconds"] > 0
    assert len(fleet.claim(node="beta")) == 1


def test_server_that_is_down_is_unreachable(fleet, worker, attempt):
    """Nobody listens: the call is recorded as an error."""
    worker.endpoint = connect("http://127.0.0.1:9/v1", "tiny")

    assert attempt() == "unreachable"

    (call,) = fleet.rows(CALLS)
    assert (call["outcome"], call["completion_tokens"]) == ("error", 0)
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
def test_bad_answer_keeps_good_turns(fleet, attempt, model_server, bad):
    """What the model got wrong is a failure; the turns before it stay."""
    answer, kept, told = bad
    model_server.plan.append(answer)

    assert attempt() == "bad_answer"

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["turns_written"]) == ("pending", kept)
    assert told in task["error"]
    (call,) = fleet.rows(CALLS)
    assert call["outcome"] == "invalid"
    assert call["duration_seconds"] > 0


def test_written_conversation_is_only_finished(fleet, attempt, model_server):
    """When all turns are there, and only the end was lost, the model is not asked again."""
    attempt()
    fleet.rows(
        "SET session_replication_role = replica;  -- else the end of a task is not to be undone\n"
        "DELETE FROM fleet.conversations;"
        "UPDATE fleet.tasks SET state = 'pending', finished_at = NULL;"
        "RESET session_replication_role"
    )

    assert attempt() is None

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
    assert task["state"] == "pending"
    assert fleet.rows("SELECT * FROM analytics.task_failures") == []
    assert task["turns_written"] == (2 if kind == "hang" else 0)
    (call,) = fleet.rows(CALLS)
    assert call["outcome"] == "aborted"
    assert call["duration_seconds"] > 0


def test_hanging_server_meets_the_deadline(fleet, attempt, model_server):
    """No end within request_seconds_max is a failure of the attempt."""
    model_server.plan.append(Answer("hang", 2))

    assert attempt(request_seconds_max=0.3) == "bad_answer"

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["turns_written"]) == ("pending", 2)
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
    other = fleet.claim_one("beta")
    worker.end()
    writing.join(10)

    task = fleet.task(other)
    assert (task["state"], task["node"]) == ("claimed", "beta")


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
