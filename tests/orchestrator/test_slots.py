"""Each conversation comes back to its own slot of a server that has several."""

from __future__ import annotations

import pytest
from fleet_orchestrator.model_server.endpoint import Call, Request, connect
from fleet_orchestrator.model_server.slots import decide_slot

MESSAGES = [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": "Hello, I"}]
TURN = Request(MESSAGES, None, 7, 0.5, 9.0, continues=True)


def slot(number, task, *, is_busy=False):
    return {"id": number, "id_task": task, "is_processing": is_busy, "n_ctx": 4096}


@pytest.fixture
def endpoint(model_server):
    """An endpoint whose server continues, on two slots; the first was used last."""
    model_server.slots = [slot(0, 40), slot(1, 12)]
    made = connect(model_server.url, "tiny")
    made.known.continuation = "continues"
    yield made
    made.client.close()


def ask(endpoint, request=TURN):
    return "".join(endpoint.stream(request, Call("tiny"), lambda: True))


@pytest.mark.parametrize(
    ("slots", "chosen"),
    [
        ([slot(0, 40), slot(1, 12), slot(2, 33)], 1),
        ([slot(0, 40), slot(1, -1)], 1),
        ([slot(0, 40), slot(1, 12, is_busy=True)], 0),
        ([slot(0, 40), {"id": 1, "is_processing": False}], 1),
        ([slot(0, 40, is_busy=True), slot(1, 12, is_busy=True)], None),
        ([slot(0, 40)], None),
        ([], None),
        (None, None),
        ({"error": "no slots"}, None),
        ([None, {"id": "a"}], None),
    ],
)
def test_slot_is_the_one_that_was_left_longest_ago(slots, chosen):
    """Another's conversation has used its own a moment ago; without a choice none is made."""
    assert decide_slot(slots) == chosen


def test_all_calls_of_a_conversation_name_its_slot(endpoint, model_server):
    """One look at the beginning, and the server is told the slot with each turn."""
    conversation = endpoint.for_conversation()

    ask(conversation)
    ask(conversation)

    assert [body["id_slot"] for body in model_server.requests] == [1, 1]
    assert model_server.looks == 1


def test_call_that_continues_nothing_names_no_slot(endpoint, model_server):
    """A hosted service would refuse what it does not know."""
    ask(
        endpoint.for_conversation(),
        Request(MESSAGES[:1], {"properties": {"text": {}}}, 7, 0.5, 9.0),
    )

    assert "id_slot" not in model_server.requests[0]


@pytest.mark.parametrize("slots", [None, [slot(0, 40)]], ids=["no llama.cpp", "one slot"])
def test_server_without_a_choice_is_asked_once(endpoint, model_server, slots):
    """Later conversations do not look again, until the server may be another one."""
    model_server.slots = slots

    ask(endpoint.for_conversation())
    endpoint.for_conversation()
    assert model_server.looks == 1
    assert "id_slot" not in model_server.requests[0]

    endpoint.known.forget()
    endpoint.known.continuation = "continues"
    endpoint.for_conversation()
    assert model_server.looks == 2


@pytest.mark.parametrize("found", [None, "starts_over", "refuses"])
def test_only_turns_need_a_slot(endpoint, model_server, found):
    """A conversation that is written in one call has nothing to come back to."""
    endpoint.known.continuation = found

    assert endpoint.for_conversation() is endpoint
    assert model_server.looks == 0
