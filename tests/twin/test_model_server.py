"""The twin's model server through the client that our worker has."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field, replace

import httpx2
import openai
import pytest
from fix_fleet import wait_until
from fleet_orchestrator.blame import decide_failure
from fleet_orchestrator.generation.line_by_line import LineByLine
from fleet_orchestrator.generation.one_shot import OneShot
from fleet_orchestrator.model_server import canary, continuation
from fleet_orchestrator.model_server.endpoint import Call, Endpoint, EndpointError, Request
from fleet_orchestrator.model_server.watch import watch_server
from fleet_twin.model_server.behaviour import Behaviour, Load
from fleet_twin.model_server.generation import Clock
from fleet_twin.model_server.server import serve
from prompts import ask_for_all, ask_for_turn, make_order

MACHINE = Behaviour(tokens_per_second=40.0, prompt_tokens_per_second=1000.0, model="tiny.gguf")


@dataclass
class Ticker:
    """A clock that a pause moves on: nobody waits."""

    seconds: float = 0.0

    async def pause(self, seconds):
        self.seconds += seconds
        await asyncio.sleep(0)


@dataclass
class Twin:
    """A running server, its machines and its clock."""

    machines: dict[str, Behaviour] = field(
        default_factory=lambda: {"alpha": MACHINE, "beta": MACHINE}
    )
    ticker: Ticker = field(default_factory=Ticker)
    server: object = None

    def connect(self, node="alpha", timeout=20.0):
        client = openai.OpenAI(
            base_url=self.server.url(node), api_key="local", max_retries=0, timeout=timeout
        )
        return Endpoint(client, "any")

    def ask(self, request, node="alpha", timeout=20.0):
        """The answer, and what it cost."""
        call, endpoint = Call("any"), self.connect(node, timeout)
        with endpoint.client:
            return endpoint.ask(request, call, lambda: True), call

    def get(self, path):
        return httpx2.get(f"http://{self.server.address}{path}")

    def post(self, **body):
        url = f"{self.server.url('alpha')}/chat/completions"
        return httpx2.post(url, json={"messages": [{"role": "user", "content": "Hi"}], **body})

    def change(self, node="alpha", **values):
        self.machines[node] = replace(self.machines[node], **values)


@pytest.fixture
def twin():
    made = Twin()
    clock = Clock(lambda: made.ticker.seconds, made.ticker.pause)
    with serve(lambda node: made.machines[node], clock=clock) as made.server:
        yield made


@pytest.fixture
def slow_twin():
    """One whose seconds are real ones."""
    made = Twin()
    with serve(lambda node: made.machines[node]) as made.server:
        yield made


def read_turn(answer):
    (text,) = LineByLine().make_reader(make_order().draft()).feed(answer)
    return text


def write_conversation(twin, order):
    texts = []
    for seed in range(order.turns):
        answer, _ = twin.ask(ask_for_turn(order, texts, seed=seed))
        texts.append(read_turn(answer))
    return texts


def test_begun_answer_is_continued(twin):
    """Our question whether a server continues is answered by the next words, four tokens."""
    call, endpoint = Call("any"), twin.connect()
    with endpoint.client:
        assert continuation.ask(endpoint, call, lambda: True) == "continues"

    assert call.completion_tokens == continuation.TOKENS_MAX


def test_canary_is_answered(twin):
    """A sentence within the schema, whatever the seed."""
    call, endpoint = Call("any"), twin.connect()
    with endpoint.client:
        canary.ask(endpoint, call, lambda: True)

    assert call.outcome == "ok"


def test_conversation_is_written_line_by_line(twin):
    """Each turn goes on behind the beginning that the worker hands over."""
    order = make_order(seed=4)

    texts = write_conversation(twin, order)

    assert order.judge(texts)[1] is None
    assert order.persona["values"]["agent_name"] in texts[0]


def test_conversation_is_written_in_one_shot(twin):
    """The schema's speakers and lines, with words for each."""
    order = make_order(seed=4)
    answer, _ = twin.ask(ask_for_all(order))
    reader = OneShot().make_reader(order.draft())

    texts = reader.feed(answer) + reader.end()

    assert order.judge(texts)[1] is None


def test_rest_is_written_in_one_shot(twin):
    """Turns that are written are not written again."""
    order = make_order(seed=4)
    before = write_conversation(twin, make_order(seed=4))[:3]
    answer, _ = twin.ask(ask_for_all(order, before))
    reader = OneShot().make_reader(order.draft(before))

    texts = before + reader.feed(answer) + reader.end()

    assert order.judge(texts)[1] is None


def test_tokens_are_told_as_llama_cpp_does(twin):
    """Prompt, cached and written tokens; the second turn finds the first one's prompt kept."""
    order = make_order()
    first, call = twin.ask(ask_for_turn(order, []))
    _, next_call = twin.ask(ask_for_turn(order, [read_turn(first)]))

    assert call.prompt_tokens > 300
    assert call.cached_prompt_tokens == 0
    assert 0.9 * next_call.prompt_tokens < next_call.cached_prompt_tokens < next_call.prompt_tokens
    assert call.completion_tokens == pytest.approx(len(first) / 4, rel=0.4)


def test_time_is_that_of_the_machine(twin):
    """The prompt by its speed, then the tokens by theirs, slower behind a long context."""
    _, call = twin.ask(ask_for_turn(make_order(), []))
    seconds = twin.ticker.seconds

    reading = call.prompt_tokens / MACHINE.prompt_tokens_per_second
    writing = call.completion_tokens / MACHINE.tokens_per_second
    assert reading + writing < seconds < reading + 1.2 * writing


def test_throttled_machine_writes_slowly(twin):
    """A tenth of the speed takes ten times as long: what a slow model or a hot machine does."""
    twin.ask(ask_for_turn(make_order(), []))
    before = twin.ticker.seconds
    twin.change("beta", tokens_per_second=4.0, prompt_tokens_per_second=100.0)

    twin.ask(ask_for_turn(make_order(), []), "beta")

    assert twin.ticker.seconds - before == pytest.approx(10 * before, rel=0.1)


def test_load_is_told(twin):
    """The machine learns what was read and written; other machines are left alone."""
    _, call = twin.ask(ask_for_turn(make_order(), []))

    wait_until(lambda: not twin.server.read_load("alpha").busy_slots, "the slot is free")
    load = twin.server.read_load("alpha")
    assert load == Load(0, True, call.prompt_tokens, call.completion_tokens)
    assert twin.server.read_load("beta") == Load()


def test_answer_ends_at_its_limits(twin):
    """At max_tokens, and before a word of stop."""
    short = twin.post(max_tokens=2, seed=1).json()
    whole = twin.post(seed=1).json()
    word = whole["choices"][0]["message"]["content"].split()[1]
    stopped = twin.post(stop=[word], seed=1).json()

    assert short["choices"][0]["finish_reason"] == "length"
    assert short["usage"]["completion_tokens"] == 2
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert word not in stopped["choices"][0]["message"]["content"]


def test_whole_answer_begins_with_the_beginning(twin):
    """As llama.cpp does it, unlike in a stream."""
    messages = [
        {"role": "user", "content": "Say again: one two three."},
        {"role": "assistant", "content": "one two"},
    ]

    answer = twin.post(messages=messages).json()

    assert answer["choices"][0]["message"]["content"] == "one two three."


@pytest.mark.parametrize(
    ("page", "key", "value"),
    [
        ("health", "status", "ok"),
        ("v1/models", "object", "list"),
        ("props", "total_slots", 1),
    ],
)
def test_pages_of_a_server(twin, page, key, value):
    """Each machine has them below its own path."""
    assert twin.get(f"/alpha/{page}").json()[key] == value


def test_model_leaves_the_memory_and_comes_back(twin):
    """When told to, as our worker does for a game; a call brings it back too."""
    told = []
    for change in ("unload", "load", "unload"):
        httpx2.post(f"http://{twin.server.address}/alpha/models/{change}", json={"model": "any"})
        status = twin.get("/alpha/models").json()["data"][0]["status"]["value"]
        told.append((status, twin.server.read_load("alpha").has_model))
    twin.post()

    assert told == [("unloaded", False), ("loaded", True), ("unloaded", False)]
    assert twin.server.read_load("alpha").has_model


def test_worker_finds_the_model_its_slots_and_how_to_unload_it(twin):
    """Each machine's server is known as llama.cpp's router."""
    watch = watch_server(twin.server.url("alpha"))
    model = twin.machines["alpha"].model

    report = watch.look(model, is_circuit_open=False)
    seconds = watch.free_memory(model)

    assert (report.kind, report.state, report.slots) == ("llama_cpp", "ready", 1)
    assert seconds is not None
    assert watch.look(model, is_circuit_open=False).state == "unloaded"
    assert watch.ask_back(model)
    assert watch.is_back(model)


def test_what_is_not_there_is_not_found(twin):
    """Another machine, another page."""
    assert twin.get("/gamma/health").status_code == 404
    assert twin.get("/alpha/v2").status_code == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"messages": [1]}'])
def test_bad_request_is_refused(twin, body):
    """With what is wrong with it; the server lives on."""
    response = httpx2.post(f"{twin.server.url('alpha')}/chat/completions", content=body)

    assert response.status_code == 400
    assert response.json()["error"]["message"]
    assert twin.get("/alpha/health").status_code == 200


def test_prompt_without_room_is_refused(twin):
    """A request that this server will never answer."""
    twin.change(context_tokens=50)

    with pytest.raises(EndpointError) as caught:
        twin.ask(ask_for_turn(make_order(), []))

    assert caught.value.kind == "refused_request"


def test_tokens_of_a_text_are_told(twin):
    """As many as its words have pieces."""
    response = httpx2.post(
        f"http://{twin.server.address}/alpha/tokenize", json={"content": "Hello there, friend."}
    )

    assert len(response.json()["tokens"]) == 5


def test_conversation_keeps_its_slot(twin):
    """The worker chooses a slot of several, and finds its prompt there."""
    twin.change(slots=2)
    endpoint = twin.connect()
    endpoint.known.continuation = "continues"
    with endpoint.client:
        one, other = endpoint.for_conversation(), endpoint.for_conversation()
        one.ask(ask_for_turn(make_order(), []), Call("any"), lambda: True)
        other = endpoint.for_conversation()

    assert {one.slot, other.slot} == {0, 1}


@pytest.fixture
def beside():
    """Ask in a thread of its own, which ends with the test."""
    threads = []

    def start(action):
        threads.append(threading.Thread(target=action, daemon=True))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_calls_beyond_the_slots_wait(slow_twin, beside):
    """One slot, two calls: the second is answered after the first."""
    slow_twin.change(tokens_per_second=0.0)
    threads = [beside(slow_twin.post) for _ in range(2)]
    wait_until(lambda: slow_twin.server.read_load("alpha").busy_slots == 1, "a slot is busy")

    slow_twin.change(tokens_per_second=1000.0)
    for thread in threads:
        thread.join(10)

    # A client may have its answer a moment before the server is done with the call.
    wait_until(lambda: slow_twin.server.read_load("alpha").busy_slots == 0, "the slot is free")
    assert slow_twin.server.read_load("alpha").completion_tokens >= 2


def test_call_that_is_hung_up_frees_its_slot(slow_twin, beside):
    """The worker wants the machine back: nothing more is written within a moment."""
    slow_twin.change(tokens_per_second=0.01)
    call, endpoint, is_wanted = Call("any"), slow_twin.connect(), threading.Event()
    is_wanted.set()
    request = ask_for_turn(make_order(), [])
    beside(lambda: endpoint.ask(request, call, is_wanted.is_set))
    wait_until(lambda: slow_twin.server.read_load("alpha").busy_slots, "the slot is busy")

    is_wanted.clear()

    wait_until(lambda: not slow_twin.server.read_load("alpha").busy_slots, "the slot is free")
    wait_until(lambda: call.outcome == "aborted", "the call is aborted")
    endpoint.client.close()


def test_wedged_model_times_out(slow_twin):
    """Health and models are fine, calls get no word; blamed is the server."""
    slow_twin.change(faults=frozenset({"wedged-model"}))

    with pytest.raises(EndpointError) as caught:
        slow_twin.ask(ask_for_turn(make_order(), []), timeout=0.3)

    assert decide_failure(caught.value).kind == "timeout"
    assert slow_twin.get("/alpha/health").json() == {"status": "ok"}


def test_login_page_is_no_answer(twin):
    """Status 200 and HTML on each path: the server is blamed, the canary fails."""
    twin.change(faults=frozenset({"login-page"}))
    endpoint = twin.connect()

    with endpoint.client, pytest.raises(EndpointError) as caught:
        canary.ask(endpoint, Call("any"), lambda: True)

    assert decide_failure(caught.value).kind == "not_a_stream"
    assert twin.get("/alpha/health").text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("fault", "state", "kind"),
    [
        ("model-down", "unreachable", "broken_stream"),
        ("model-failing", "unloaded", "http_error"),
        ("model-missing", "no_model", "http_error"),
    ],
)
def test_a_sick_server_is_told_by_its_state(twin, fault, state, kind):
    """Calls fail, and between them it says why; the worker and people see the same."""
    twin.change(faults=frozenset({fault}))
    watch, endpoint = watch_server(twin.server.url("alpha")), twin.connect()

    with endpoint.client, pytest.raises(EndpointError) as caught:
        canary.ask(endpoint, Call("any"), lambda: True)

    assert watch.look("tiny.gguf", is_circuit_open=True).state == state
    assert decide_failure(caught.value).kind == kind


def test_bad_output_is_the_models_fault(twin):
    """The server answers as it should, canary included; each turn is refused by a check."""
    twin.change(faults=frozenset({"bad-output"}))
    order, endpoint = make_order(), twin.connect()
    with endpoint.client:
        canary.ask(endpoint, Call("any"), lambda: True)

    assert order.judge(write_conversation(twin, order))[1] == "cut_off"


def test_duplicate_output_is_found_by_its_words(twin):
    """Two orders become one conversation."""
    twin.change(faults=frozenset({"duplicate-output"}))
    orders = [make_order(seed=seed) for seed in (1, 2)]

    hashes = {order.judge(write_conversation(twin, order))[0].content_hash for order in orders}

    assert len(hashes) == 1


def test_schema_of_a_judge_is_filled(twin):
    """Any schema: numbers within their bounds, one of the allowed words."""
    schema = {
        "type": "object",
        "properties": {
            "realness": {"type": "integer", "minimum": 1, "maximum": 10},
            "valid": {"type": "boolean"},
            "tone": {"enum": ["warm", "cold"]},
            "violations": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        },
    }
    request = Request([{"role": "user", "content": "Judge."}], schema, 1, 0.0, 60.0)

    said = json.loads(twin.ask(request)[0])

    assert 1 <= said["realness"] <= 10
    assert isinstance(said["valid"], bool)
    assert said["tone"] in {"warm", "cold"}
    assert len(said["violations"]) == 1
