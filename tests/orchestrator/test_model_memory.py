"""The model leaves the memory for a game and comes back after it; how the server is otherwise."""

from __future__ import annotations

import threading

import pytest
from fleet_orchestrator import runtime
from fleet_orchestrator.model_memory import CALLS_END_SECONDS, LOAD_SECONDS, ModelMemory
from fleet_orchestrator.model_server.backends.ask import AskError
from fleet_orchestrator.model_server.backends.backend import (
    Backend,
    CannotUnloadError,
    LoadingError,
    ModelStatus,
)
from fleet_orchestrator.model_server.watch import (
    FREE_SECONDS,
    MODELS_SECONDS,
    Report,
    ServerWatch,
    decide_state,
)
from fleet_orchestrator.server_health import HEALTH_SECONDS, TELL_SECONDS, Notes, ServerHealth


class Clock:
    """Time that pauses move on."""

    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time

    def pause(self, seconds):
        self.time += seconds


class Server(Backend):
    """A server on this machine that needs some time to unload and to load."""

    loads_itself = False

    def __init__(self, clock, unloads_after=0.95, loads_after=3.0):
        self.clock, self.done, self.error = clock, [], None
        self.unloads_after, self.loads_after = unloads_after, loads_after
        self.gone_at, self.back_at = float("inf"), float("-inf")
        self.has_large = False

    def check_alive(self):
        if self.error:
            raise self.error
        if self.clock() < self.back_at:
            raise LoadingError("loading")

    def read_models(self):
        is_loaded = not self.gone_at <= self.clock()
        return (ModelStatus("small", is_loaded, 2, 4096), ModelStatus("large", self.has_large))

    def unload(self, name):
        self.done.append(f"unload {name}")
        if name == "large":
            self.has_large = False
            return
        self.gone_at = self.clock() + self.unloads_after

    def load(self, name):
        self.done.append(f"load {name}")
        self.gone_at, self.back_at = float("inf"), self.clock() + self.loads_after


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def server(clock):
    return Server(clock)


@pytest.fixture
def watch(clock, server):
    return ServerWatch(lambda: server, clock, clock.pause)


@pytest.fixture
def told():
    return []


@pytest.fixture
def memory(watch, clock, told):
    return ModelMemory(watch, lambda *event: told.append(event), clock)


def follow(memory, clock, seconds, *, is_gaming, has_calls=False):
    """Look twice a second, as the worker does."""
    for _ in range(int(seconds * 2)):
        memory.follow("small", is_gaming=is_gaming, has_calls=has_calls)
        clock.pause(0.5)


def test_game_frees_the_memory_once(memory, clock, server, told):
    """The model is unloaded, that is verified and told; nothing more while the game runs."""
    follow(memory, clock, 60, is_gaming=True)

    assert server.done == ["unload small"]
    assert told == [("info", "model_unloaded", "small was unloaded in 1.0 s, since a game runs.")]
    assert memory.is_out


def test_game_frees_what_was_in_use_before_too(memory, clock, server):
    """A server that has several models keeps the last one for a while after another was set."""
    server.has_large = True
    memory.follow("large", is_gaming=False, has_calls=False)
    follow(memory, clock, 1, is_gaming=False)

    follow(memory, clock, 5, is_gaming=True)
    assert sorted(server.done) == ["unload large", "unload small"]

    server.has_large = True
    memory.follow("large", is_gaming=True, has_calls=False)
    assert server.done[2:] == ["unload large"]  # it was set during the game


def test_running_calls_end_first_but_not_for_ever(memory, clock, server):
    """A call is cut within a second; one that hangs does not keep the memory."""
    follow(memory, clock, CALLS_END_SECONDS, is_gaming=True, has_calls=True)
    before = list(server.done)
    follow(memory, clock, 1, is_gaming=True, has_calls=True)

    assert (before, server.done) == ([], ["unload small"])


def test_model_comes_back_after_the_game(memory, clock, server, told):
    """No call is made before it is there; how long it took is told."""
    follow(memory, clock, 5, is_gaming=True)
    follow(memory, clock, 2, is_gaming=False)
    was_out = memory.is_out
    follow(memory, clock, 2, is_gaming=False)

    assert server.done == ["unload small", "load small"]
    assert (was_out, memory.is_out) == (True, False)
    assert told[-1] == ("info", "model_loaded", "small is there again after 3.0 s.")


def test_server_that_loads_by_itself_is_not_waited_for(memory, clock, server):
    """Ollama and LM Studio bring the model back at the next call."""
    server.loads_itself = True
    follow(memory, clock, 5, is_gaming=True)
    follow(memory, clock, 0.5, is_gaming=False)

    assert (server.done, memory.is_out) == (["unload small"], False)


def test_second_game_frees_the_memory_again(memory, clock, server):
    """Also when it begins while the model is on its way back."""
    follow(memory, clock, 5, is_gaming=True)
    follow(memory, clock, 1, is_gaming=False)
    follow(memory, clock, 5, is_gaming=True)

    assert server.done == ["unload small", "load small", "unload small"]


def test_worker_that_starts_after_a_game_brings_the_model_back(memory, clock, server):
    """Its predecessor was killed while the model was out."""
    server.gone_at = -1.0

    follow(memory, clock, 5, is_gaming=False)

    assert (server.done, memory.is_out) == (["load small"], False)


def test_loaded_model_is_used_at_once(memory, clock, server, told):
    """At a usual start nothing is done and nothing told."""
    follow(memory, clock, 0.5, is_gaming=False)

    assert (server.done, told, memory.is_out) == ([], [], False)


@pytest.mark.parametrize(
    ("unloads_after", "seconds"), [(100, FREE_SECONDS)], ids=["it_does_not_obey"]
)
def test_model_that_stays_is_told(clock, told, unloads_after, seconds):
    """What the server says of itself counts, not that it took the order."""
    server = Server(clock, unloads_after=unloads_after)
    memory = ModelMemory(
        ServerWatch(lambda: server, clock, clock.pause), lambda *event: told.append(event), clock
    )

    follow(memory, clock, 1, is_gaming=True)

    assert told == [
        (
            "warning",
            "model_not_unloaded",
            f"A game runs, and small stays: small is still in memory after {seconds:g} s.",
        )
    ]


def test_server_that_cannot_unload_is_told_with_the_remedy(memory, clock, server, told):
    """Once a game, and no call is made all the same."""

    def refuse(name):
        raise CannotUnloadError("start it as a router")

    server.unload = refuse

    follow(memory, clock, 10, is_gaming=True)

    assert [event[1] for event in told] == ["model_not_unloaded"]
    assert "start it as a router" in told[0][2]
    assert memory.is_out


def test_model_that_does_not_come_back_is_not_waited_for(memory, clock, server):
    """After two minutes calls are made, and their failures show how it is."""
    follow(memory, clock, 5, is_gaming=True)
    server.loads_after = 10_000
    follow(memory, clock, LOAD_SECONDS + 2, is_gaming=False)

    assert not memory.is_out


@pytest.mark.parametrize(
    ("alive", "model", "has_models", "is_circuit_open", "state"),
    [
        ("silent", None, False, False, "unreachable"),
        ("loading", None, False, False, "loading"),
        ("answers", ModelStatus("small"), True, False, "ready"),
        ("answers", ModelStatus("small"), True, True, "wedged"),
        ("answers", None, True, False, "no_model"),
        ("answers", None, False, False, "ready"),
        ("answers", ModelStatus("small", is_loaded=False), True, True, "unloaded"),
    ],
)
def test_three_levels_make_the_state(alive, model, has_models, *, is_circuit_open, state):
    """It answers, it has the model, its calls succeed; health alone proves nothing."""
    found = decide_state(alive, model, has_models=has_models, is_circuit_open=is_circuit_open)

    assert found == state


def test_models_are_asked_for_each_half_minute(watch, clock, server):
    """Whether it lives each time, and its models less often."""
    asked = []
    read = server.read_models
    server.read_models = lambda: asked.append(clock()) or read()
    for _ in range(13):
        watch.look("small", is_circuit_open=False)
        clock.pause(5)

    assert sorted(set(asked)) == [0.0, MODELS_SECONDS, 2 * MODELS_SECONDS]


def test_server_that_fell_silent_may_be_another_one(clock):
    """Its kind is found out anew; meanwhile nothing is known."""
    first, second = Server(clock), Server(clock)
    made = iter([first, second])
    watch = ServerWatch(lambda: next(made), clock)
    watch.look("small", is_circuit_open=False)
    first.error = AskError("nobody")

    silent = watch.look("small", is_circuit_open=False)

    assert silent == Report("unknown", "unreachable")
    assert watch.look("small", is_circuit_open=False).state == "ready"


def test_server_that_is_still_loading_is_waited_for(clock, told):
    """At the first start nothing is known of the server but that it is not ready."""
    server = Server(clock)

    def make():
        if clock() < 3:
            raise LoadingError("not ready")
        return server

    memory = ModelMemory(ServerWatch(make, clock), lambda *event: told.append(event), clock)
    follow(memory, clock, 2, is_gaming=False)
    was_out = memory.is_out
    follow(memory, clock, 2, is_gaming=False)

    assert (was_out, memory.is_out, server.done) == (True, False, [])


def test_kind_that_is_not_known_is_looked_for_again(clock):
    """The first answers may have been those of a part of it."""
    kinds = iter([Backend(lambda *_: None), Server(clock)])
    watch = ServerWatch(lambda: next(kinds), clock)
    first = watch.look("small", is_circuit_open=False)
    clock.pause(MODELS_SECONDS)

    assert (first.slots, watch.look("small", is_circuit_open=False).slots) == (None, 2)


class Stored:
    """What reaches the database; away while `error` is set."""

    def __init__(self):
        self.reports, self.events, self.error = [], [], None

    def report_endpoint(self, model, report):
        if self.error:
            raise self.error
        self.reports.append((model, report.state))

    def record_event(self, event, at, severity, kind, message):
        self.events.append((kind, message))


def test_notes_wait_for_the_database(clock):
    """What is not stored stays, in its order, and is stored once."""
    notes, stored = Notes(), Stored()
    notes.tell_event("info", "model_unloaded", "first")
    notes.add(lambda store: store.report_endpoint("small", Report("vllm", "ready")))
    stored.error = OSError("away")

    with pytest.raises(OSError, match="away"):
        notes.store(stored)
    stored.error = None
    notes.store(stored)

    assert stored.events == [("model_unloaded", "first")]
    assert stored.reports == [("small", "ready")]


def test_report_is_told_at_a_change_and_once_a_minute(watch, clock, tmp_path):
    """No row is written for what is known."""
    notes, stored = Notes(), Stored()
    health = ServerHealth(watch, notes, tmp_path, None, clock)
    for second in range(int(20 + TELL_SECONDS + HEALTH_SECONDS)):
        health.step("small", has_calls=False, is_circuit_open=second >= 20)
        clock.pause(1)
    notes.store(stored)

    assert [state for _, state in stored.reports] == ["ready", "wedged", "wedged"]


def test_place_and_gpu_memory_of_the_server_are_published(watch, clock, tmp_path):
    """Whether it runs here, and how much of the model is on the card where the server tells."""
    here = ServerHealth(watch, Notes(), tmp_path, ModelMemory(watch, lambda *_: None, clock), clock)
    elsewhere = ServerHealth(watch, Notes(), tmp_path, None, clock)

    def read(health, report):
        health.report = report
        told = {each["name"]: each["value"] for each in health.describe()}
        return told.get("fleet_llm_local"), told.get("fleet_llm_gpu_memory_ratio")

    assert read(here, None) == (None, None)
    assert read(here, Report("ollama", "ready", gpu_ratio=0.0)) == (1, 0.0)
    assert read(elsewhere, Report("vllm", "ready")) == (0, None)


def test_owner_who_plays_has_the_memory(watch, server, clock, tmp_path):
    """The mode of state.json counts, also when the exporter has fallen silent since."""
    memory = ModelMemory(watch, lambda *_: None, clock)
    health = ServerHealth(watch, Notes(), tmp_path, memory, clock)
    runtime.write(tmp_path / "state.json", {"mode": "gaming"})

    health.step("small", has_calls=False, is_circuit_open=False)

    assert (server.done, health.is_out) == (["unload small"], True)


def test_look_that_fails_is_not_the_last(clock, tmp_path, caplog):
    """An unexpected answer of a server must not leave a game without its memory."""
    stop, looks = threading.Event(), []

    class Odd:
        def look(self, *_, **__):
            looks.append(1)
            if len(looks) == 2:
                stop.set()
            clock.pause(HEALTH_SECONDS)
            raise KeyError("odd")

    health = ServerHealth(Odd(), Notes(), tmp_path, None, clock)

    health.run(lambda: ("small", False, False), stop, lambda: None)

    assert len(looks) == 2
    assert "Failed to look at the model server." in caplog.text
