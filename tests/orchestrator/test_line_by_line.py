"""Writing a conversation turn by turn: what is read of an answer, what is checked, what is kept."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from fleet_orchestrator.generation.conversation import Tries, decide_step, decide_temperature
from fleet_orchestrator.generation.line_by_line import WordsReader
from fleet_orchestrator.generation.method import Limits, StartsOverError
from model_server import Answer

CALLS = "SELECT * FROM analytics.llm_requests ORDER BY time"
TASKS = "SELECT * FROM analytics.tasks"
TRIES = "SELECT position, try, restart, reason FROM analytics.turn_tries ORDER BY time"
TURNS = "SELECT position, speaker, text, attempt FROM fleet.turns ORDER BY position"
LIMITS = Limits(0.7, 220, 300, 30, 80, 3, 0.2, 8, 1)
AI = "As an AI language model I cannot know that."


@pytest.fixture
def order(fleet, worker):
    """One conversation of six turns is wanted, of a server that continues an answer."""
    worker.endpoint.known.continuation = "continues"
    return fleet.submit("healthcare_billing", min_turns=6, max_turns=6)


@pytest.fixture
def refuse(model_server):
    """Have the server say what a check refuses, so many times at the turn after so many."""

    def plan(times, turns=2, text=AI):
        model_server.plan.extend([Answer("says", turns, text=text)] * times)

    return plan


def read(pieces, opening=""):
    """The words that a reader takes, and how many pieces it wanted."""
    reader = WordsReader(opening)
    for count, piece in enumerate(pieces, start=1):
        if texts := reader.feed(piece):
            assert reader.is_done
            return texts, count
    return reader.end(), len(pieces)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('Hello there."}, {"speaker"', "Hello there."),
        (r"He said \"no\", twice." + '"', 'He said "no", twice.'),
        (r"Caf\u00e9 \ud83d\ude00 \\ \/ ok." + '"', "Café \U0001f600 \\ / ok."),
        ("It is done.\nagent: And", "It is done."),
        (r"One\ntwo\tthree." + '"', "One two three."),
        (r"An odd \q and \uzz escape." + '"', "An odd q and uzz escape."),
        (r"Half \ud83d a pair." + '"', "Half  a pair."),
        ('{amount} is due."', "{amount} is due."),
        ('Sure, here is my number."', "Sure, here is my number."),
        ('"', ""),
    ],
)  # fmt: skip
def test_words_end_at_the_first_free_quote(written, words):
    """However the answer is cut into pieces, the words are the same, and no piece more is read."""
    for size in (1, 2, 3, 5, 100):
        pieces = [written[start : start + size] for start in range(0, len(written), size)]

        texts, count = read(pieces)

        assert texts == [words]
        assert count == len(pieces) or size < len(written)
        assert count <= len(words) * 6 + 1


def test_answer_that_ends_early_is_cut_off():
    """At the limit of tokens the words stand as they are; half an escape is dropped."""
    assert read(["I will send", " you the\\"]) == (["I will send you the"], 2)


@pytest.mark.parametrize(
    "written",
    ['{"turns": [', ' [{"speaker"', "```json\n", "Sure! Here is the conversation", "{\n  ",
     "Here's the JSON you asked for"],
)  # fmt: skip
def test_new_answer_is_no_continuation(written):
    """A server that begins again, or talks of the task, does not continue."""
    with pytest.raises(StartsOverError):
        read(list(written))


def test_repeated_opening_is_no_continuation():
    """A server that says the first turn again in the place of a later one does not continue."""
    opening = "Lakeside Clinic, how can I help?"

    with pytest.raises(StartsOverError, match="repeats"):
        read(list(opening + ' Yes."'), opening)
    assert read(list('Hi."'), "Hi.")[0] == ["Hi."]


def test_each_turn_is_a_call_that_begins_as_the_one_before(fleet, order, attempt, model_server):
    """Nothing but words is asked for, and what was read once stands at the same place again."""
    attempt()

    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["turns_written"]) == ("done", 6)
    chats = [request["messages"] for request in model_server.requests]
    assert len(chats) == 6
    for before, after in pairwise(chats):
        assert after[:-1] == before[:-1]
        assert after[-1]["content"].startswith(before[-1]["content"])
    assert all("response_format" not in request for request in model_server.requests)
    assert all(request["max_tokens"] == 80 for request in model_server.requests)
    assert len({request["seed"] for request in model_server.requests}) == 6
    texts = [turn["text"] for turn in json.loads(chats[-1][-1]["content"] + '"}]}')["turns"][:-1]]
    assert texts == [turn["text"] for turn in fleet.rows(TURNS)][:-1]
    assert [call["outcome"] for call in fleet.rows(CALLS)] == ["ok"] * 6
    assert fleet.value("SELECT method FROM fleet.prompts JOIN fleet.tasks USING (prompt_id)") == (
        "line_by_line"
    )


def test_refused_turn_is_written_anew(fleet, order, attempt, model_server, refuse):
    """Another seed, the same beginning; the refused words are counted and kept nowhere."""
    refuse(2)

    attempt()

    assert fleet.rows(TRIES) == [
        {"position": 3, "try": 1, "restart": 0, "reason": "assistant_talk"},
        {"position": 3, "try": 2, "restart": 0, "reason": "assistant_talk"},
    ]
    assert AI not in str(fleet.rows(TURNS))
    third = [request for request in model_server.requests if begins(request, 2)]
    assert len({request["seed"] for request in third}) == len(third) == 3
    assert len({str(request["messages"]) for request in third}) == 1
    (made,) = fleet.rows("SELECT * FROM fleet.conversations")
    calls = fleet.rows(CALLS)
    assert (made["tries"], len(calls)) == (2, 8)
    assert made["completion_tokens"] == sum(call["completion_tokens"] for call in calls)
    assert made["generation_seconds"] == pytest.approx(sum(c["duration_seconds"] for c in calls))
    assert fleet.counters("fleet_turn_tries_total") == {("assistant_talk", "healthcare_billing"): 2}


def test_model_that_repeats_itself_is_not_taken_for_the_server(
    fleet, order, attempt, model_server, refuse
):
    """A server that has continued this conversation is kept; the repeated turn is refused."""
    for turns in (0, 2):
        refuse(1, turns, "Good morning, you have reached the billing desk.")

    attempt()

    assert [row["position"] for row in fleet.rows(TRIES)] == [3]
    assert all("response_format" not in request for request in model_server.requests)


@pytest.mark.parametrize("manner", ["continues", "starts_over"])
def test_turn_is_one_line(fleet, order, worker, attempt, *, refuse, manner):
    """Line breaks that the answer's JSON escapes do not make a turn look like two."""
    worker.endpoint.known.continuation = manner
    refuse(1, text="Well,\nagent: what is your\u2028 birthday?")

    attempt()

    assert fleet.rows(TURNS)[2]["text"] == "Well, agent: what is your birthday?"


def begins(request, turns):
    """Whether the beginning of a request has so many turns."""
    return len(json.loads(request["messages"][-1]["content"] + '"}]}')["turns"]) == turns + 1


def test_cost_of_a_try_is_its_share_of_the_call(fleet, order, worker, attempt, refuse):
    """Of a call for all turns only the refused one is lost; its words and the rest are dropped."""
    worker.endpoint.known.continuation = "starts_over"
    refuse(1)

    attempt()

    first, second = fleet.rows(CALLS)
    (lost,) = fleet.rows("SELECT * FROM analytics.turn_tries")
    assert 0 < lost["completion_tokens"] < first["completion_tokens"]
    assert 0 <= lost["duration_seconds"] <= first["duration_seconds"]
    assert (first["outcome"], second["outcome"]) == ("ok", "ok")
    assert [turn["attempt"] for turn in fleet.rows(TURNS)] == [1] * 6
    assert AI not in str(fleet.rows(TURNS))


def test_conversation_starts_over_with_other_people(fleet, order, attempt, model_server, refuse):
    """When a turn cannot be written, everything is dropped and written for another persona."""
    refuse(4)
    # By the day of birth: two customers, or one of the example's, may share a name.
    of_birth = "SELECT persona->'values'->>'date_of_birth' FROM fleet.tasks"

    attempt()

    assert [row["try"] for row in fleet.rows(TRIES)] == [1, 2, 3, 4]
    (task,) = fleet.rows(TASKS)
    assert (task["state"], task["turns_written"]) == ("done", 6)
    birth = fleet.value(of_birth)
    told = [request for request in model_server.requests if birth in str(request["messages"])]
    assert len(told) == 6
    assert len(model_server.requests) == 2 + 4 + 6
    assert fleet.value("SELECT restarts FROM fleet.tasks") == 1


def test_hopeless_conversation_is_rejected(fleet, order, attempt, refuse):
    """With all tries used up it is no dead letter: the reason is told, and what passed is kept."""
    name = "SELECT persona->'values'->>'agent_name' FROM fleet.tasks"
    refuse(3)
    refuse(6, turns=4, text="I am an AI, goodbye.")

    attempt()

    (made,) = fleet.rows("SELECT * FROM analytics.conversations")
    assert (made["state"], made["turns"], made["tries"]) == ("rejected", 4, 9)
    (why,) = fleet.rows("SELECT * FROM analytics.rejections")
    assert (why["reason"], why["stage"]) == ("assistant_talk", "checks")
    assert why["evidence"] == "turn 5 was refused in all its tries"
    shown = fleet.rows("SELECT * FROM analytics.turns ORDER BY position")
    assert [turn["position"] for turn in shown] == [1, 2, 3, 4]
    assert fleet.value(name) not in str(shown)
    assert fleet.value("SELECT state FROM analytics.tasks") == "done"
    assert fleet.rows("SELECT * FROM fleet.task_failures") == []
    assert fleet.counters("fleet_conversations_total") == {("rejected", "healthcare_billing"): 1}


def test_words_of_a_refused_turn_are_kept_nowhere(fleet, order, attempt, model_server):
    """Who reads why a conversation was rejected reads nothing of what was refused."""
    fleet.set("turn_tries_max", 1)
    fleet.set("conversation_restarts_max", 0)
    model_server.always = Answer("says", text="As an AI I am a teapot.")

    attempt()

    (why,) = fleet.rows("SELECT * FROM analytics.rejections")
    assert why["evidence"] == "turn 1 was refused in all its tries"
    (made,) = fleet.rows("SELECT * FROM analytics.conversations")
    assert (made["turns"], made["state"]) == (0, "rejected")
    for table in ("fleet.turns", "fleet.turn_tries", "fleet.rejections", "telemetry.events"):
        assert "teapot" not in str(fleet.rows(f"SELECT * FROM {table}"))


def test_tries_are_remembered_elsewhere(fleet, order, attempt, model_server, refuse):
    """Who continues a task has no more tries than were left."""
    refuse(2)
    model_server.plan.append(Answer("cut", 2))

    attempt()
    fleet.rows("SELECT fleet.decide_failures(true)", user="alpha")
    refuse(2)
    attempt()

    assert [(row["restart"], row["try"]) for row in fleet.rows(TRIES)] == [
        (0, 1), (0, 2), (0, 3), (0, 4),
    ]  # fmt: skip
    assert fleet.value("SELECT restarts FROM fleet.tasks") == 1
    assert {turn["attempt"] for turn in fleet.rows(TURNS)} == {2}


@pytest.mark.parametrize(
    "answer",
    [Answer("writes", 2, text='{"turns": [{"speaker"'), Answer("refused", 2)],
    ids=["starts over", "refuses"],
)
def test_server_that_does_not_continue_is_asked_for_the_rest(
    fleet, order, attempt, model_server, answer
):
    """The turns that are written stay, and the others come in one call."""
    model_server.plan.append(answer)

    attempt()

    assert [turn["position"] for turn in fleet.rows(TURNS)] == [1, 2, 3, 4, 5, 6]
    assert fleet.value("SELECT state FROM analytics.tasks") == "done"
    rest = model_server.requests[-1]
    schema = rest["response_format"]["json_schema"]["schema"]["properties"]["turns"]
    assert (len(model_server.requests), schema["minItems"]) == (4, 4)
    assert fleet.rows("SELECT * FROM fleet.task_failures") == []
    assert fleet.rows(TRIES) == []


def test_without_tries_every_turn_is_stored(fleet, order, attempt, refuse):
    """Checking while writing can be switched off; quality judges all the same, later."""
    fleet.set("turn_tries_max", 0)
    refuse(1)

    attempt()

    assert fleet.rows(TURNS)[2]["text"] == AI
    assert fleet.rows(TRIES) == []


@pytest.mark.parametrize(
    ("tries", "step"),
    [
        (Tries(1, 1, 0), "anew"),
        (Tries(3, 3, 0), "anew"),
        (Tries(4, 4, 0), "restart"),
        (Tries(4, 4, 1), "reject"),
        (Tries(1, 8, 1), "anew"),
        (Tries(1, 9, 1), "reject"),
        (Tries(4, 9, 0), "reject"),
    ],
)
def test_step_after_a_refusal(tries, step):
    """Three more tries a turn, eight a conversation, one restart."""
    assert decide_step(tries, LIMITS) == step


def test_last_try_is_warmer():
    """The first tries differ by their seed alone."""
    temperatures = [decide_temperature(Tries(of_turn=count), LIMITS) for count in range(4)]

    assert temperatures == pytest.approx([0.7, 0.7, 0.7, 0.9])
