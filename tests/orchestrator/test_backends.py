"""What differs between kinds of model servers, on answers as their documentation has them."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import httpx2
import psutil
import pytest
from fleet_orchestrator.model_server.backends.ask import AskError, make_ask, read_bounded
from fleet_orchestrator.model_server.backends.backend import (
    Backend,
    CannotUnloadError,
    LoadingError,
    ModelStatus,
)
from fleet_orchestrator.model_server.backends.detect import detect
from fleet_orchestrator.model_server.backends.llama_cpp import LlamaCpp
from fleet_orchestrator.model_server.backends.lm_studio import LmStudio
from fleet_orchestrator.model_server.backends.ollama import Ollama
from fleet_orchestrator.model_server.backends.own_server import signal_own_server
from fleet_orchestrator.model_server.backends.vllm import Vllm

OPENAI = {"GET /v1/models": {"object": "list", "data": [{"id": "small", "owned_by": "me"}]}}
LLAMA = {
    "GET /v1/models": {"data": [{"id": "small", "owned_by": "llamacpp", "meta": {}}]},
    "GET /models": {"data": [{"id": "small", "owned_by": "llamacpp"}]},
    "GET /health": {"status": "ok"},
    "GET /props": {"total_slots": 4, "default_generation_settings": {"n_ctx": 8192}},
}
ROUTER = LLAMA | {
    "GET /models": {
        "data": [
            {"id": "small", "status": {"value": "loaded"}},
            {"id": "large", "status": {"value": "unloaded"}},
        ]
    },
    "GET /props?model=small": {"total_slots": 2, "default_generation_settings": {"n_ctx": 4096}},
    "POST /models/unload": {"success": True},
    "POST /models/load": {"success": True},
}
OLLAMA = {
    "GET /v1/models": {"data": [{"id": "small:latest", "owned_by": "library"}]},
    "GET /api/version": {"version": "0.12.0"},
    "GET /api/tags": {"models": [{"name": "small:latest"}, {"name": "large:8b"}]},
    "GET /api/ps": {"models": [{"name": "small:latest", "size_vram": 9, "context_length": 4096}]},
    "POST /api/generate": {"done": True},
}
LM_STUDIO = {
    "GET /v1/models": {"data": [{"id": "small", "owned_by": "organization_owner"}]},
    "GET /api/v1/models": {
        "models": [
            {
                "key": "small",
                "loaded_instances": [
                    {"id": "small", "config": {"context_length": 4096, "parallel": 4}},
                    {"id": "small:2", "config": {"context_length": 4096, "parallel": 2}},
                ],
            },
            {"key": "large", "loaded_instances": []},
        ]
    },
    "POST /api/v1/models/unload": {"instance_id": "small"},
}
VLLM = {
    "GET /v1/models": {"data": [{"id": "small", "owned_by": "vllm", "max_model_len": 32768}]},
    "GET /health": None,
}
SLEEPY_VLLM = VLLM | {
    "GET /is_sleeping": {"is_sleeping": True},
    "POST /sleep?level=1": None,
    "POST /wake_up": None,
}


class Server:
    """Answers what it knows, 404 otherwise; remembers what was changed."""

    def __init__(self, answers):
        self.answers, self.changes = answers, []

    def __call__(self, method, path, body=None):
        answer = self.answers.get(f"{method} {path}", AskError("it answered 404", 404))
        if isinstance(answer, AskError):
            raise answer
        if method == "POST":
            self.changes.append((path, body))
        return answer


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (OPENAI, Backend),
        (LLAMA, LlamaCpp),
        (ROUTER, LlamaCpp),
        (OLLAMA, Ollama),
        (LM_STUDIO, LmStudio),
        (VLLM, Vllm),
    ],
    ids=["openai", "llama_cpp", "router", "ollama", "lm_studio", "vllm"],
)
def test_each_kind_is_known_by_its_answers(answers, kind):
    """No kind is taken for another, and what is none of them for OpenAI's."""
    assert type(detect(Server(answers))) is kind


def test_nobody_is_no_kind():
    """Where nobody listens the kind is not guessed."""
    server = Server({"GET /v1/models": AskError("nobody")})

    with pytest.raises(AskError, match="nobody"):
        detect(server)


def test_server_without_a_list_of_models_is_one_all_the_same():
    """Some gateways have nothing but the route for conversations."""
    backend = detect(Server({}))

    backend.check_alive()
    assert (type(backend), backend.read_models()) == (Backend, ())
    assert not backend.is_unloaded("small")


def test_server_that_is_not_ready_has_no_kind_yet():
    """llama.cpp answers 503 to every question until its model is there."""

    def refuse(*_):
        raise AskError("it answered 503", 503)

    with pytest.raises(LoadingError):
        detect(refuse)


def test_page_for_everything_is_no_model_server():
    """A login page that answers each path is at most a server without models."""
    backend = detect(lambda *_: None)

    assert (type(backend), backend.read_models()) == (Backend, ())


@pytest.mark.parametrize(
    ("told", "ratio"),
    [({"size": 8, "size_vram": 6}, 0.75), ({"size": 8, "size_vram": 0}, 0), ({"size": 8}, None),
     ({"size": 8, "size_vram": 9}, 1), ({"size": 0, "size_vram": 0}, None),
     ({"size": 8, "size_vram": "all"}, None)],
)  # fmt: skip
def test_share_of_a_model_in_gpu_memory(told, ratio):
    """As Ollama tells it of a loaded model; 0 is on the CPU, None is not known."""
    answers = OLLAMA | {"GET /api/ps": {"models": [{"name": "small:latest", **told}]}}
    small, large = Ollama(Server(answers)).read_models()

    assert (small.gpu_ratio, large.gpu_ratio) == (ratio, None)


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (Backend(Server(OPENAI)), ModelStatus("small")),
        (LlamaCpp(Server(LLAMA)), ModelStatus("small", True, 4, 8192)),
        (LlamaCpp(Server(ROUTER)), ModelStatus("small", True, 2, 4096)),
        (Ollama(Server(OLLAMA)), ModelStatus("small:latest", True, None, 4096)),
        (LmStudio(Server(LM_STUDIO)), ModelStatus("small", True, 6, 4096)),
        (Vllm(Server(VLLM)), ModelStatus("small", True, None, 32768)),
        (Vllm(Server(SLEEPY_VLLM)), ModelStatus("small", False, None, 32768)),
    ],
    ids=["openai", "llama_cpp", "router", "ollama", "lm_studio", "vllm", "sleeping_vllm"],
)
def test_models_have_slots_context_and_whether_they_are_loaded(backend, expected):
    """As far as the server tells; the rest is None and not guessed."""
    assert backend.find_model("small") == expected


@pytest.mark.parametrize(
    ("backend", "changes"),
    [
        (LlamaCpp(Server(ROUTER)), [("/models/unload", {"model": "small"})]),
        (Ollama(Server(OLLAMA)), [("/api/generate", {"model": "small", "keep_alive": 0})]),
        (
            LmStudio(Server(LM_STUDIO)),
            [
                ("/api/v1/models/unload", {"instance_id": "small"}),
                ("/api/v1/models/unload", {"instance_id": "small:2"}),
            ],
        ),
        (Vllm(Server(SLEEPY_VLLM)), [("/sleep?level=1", {})]),
    ],
    ids=["router", "ollama", "lm_studio", "vllm"],
)
def test_model_is_unloaded_in_the_way_of_its_server(backend, changes):
    """Each kind has its own route, and LM Studio one instance after the other."""
    backend.unload("small")

    assert backend.ask.changes == changes


@pytest.mark.parametrize(
    ("backend", "advice"),
    [
        (Backend(Server(OPENAI)), "Ollama, LM Studio"),
        (LlamaCpp(Server(LLAMA)), "--models-dir"),
        (LmStudio(Server(OPENAI)), "0.4 or newer"),
        (Vllm(Server(VLLM)), "--enable-sleep-mode"),
    ],
    ids=["openai", "llama_cpp", "lm_studio", "vllm"],
)
def test_who_cannot_unload_says_what_would_help(backend, advice):
    """A model that stays in memory is not passed over: the owner can change it."""
    with pytest.raises(CannotUnloadError, match=advice):
        backend.unload("small")


def test_own_server_is_told_by_a_signal():
    """llama.cpp alone cannot unload; ours understands a signal."""
    signalled = []

    LlamaCpp(Server(LLAMA), lambda: signalled.append(1) or True).unload("small")

    assert signalled == [1]


@pytest.mark.parametrize(
    ("answers", "kind", "expected"),
    [
        (OLLAMA, Ollama, False),
        (OLLAMA | {"GET /api/ps": {"models": []}}, Ollama, True),
        (SLEEPY_VLLM, Vllm, True),
        (OPENAI, Backend, False),
    ],
    ids=["loaded", "unloaded", "sleeping", "not_told"],
)
def test_unloading_is_verified_at_the_server(answers, kind, expected):
    """What the server does not tell does not count as unloaded."""
    assert kind(Server(answers)).is_unloaded("small") is expected


def test_model_is_brought_back_where_the_server_does_not_do_that_itself():
    """A router's model and a sleeping engine; others load at the next call."""
    router, vllm, ollama = LlamaCpp(Server(ROUTER)), Vllm(Server(SLEEPY_VLLM)), Ollama(Server({}))

    for backend in (router, vllm, ollama):
        backend.load("large")

    assert router.ask.changes == [("/models/load", {"model": "large"})]
    assert vllm.ask.changes == [("/wake_up", {})]


def test_loading_is_not_failing():
    """llama.cpp answers 503 until its model is there."""
    busy = Server(LLAMA | {"GET /health": AskError("it answered 503", 503)})

    with pytest.raises(LoadingError):
        LlamaCpp(busy).check_alive()


def listener(pid, port):
    return SimpleNamespace(status=psutil.CONN_LISTEN, laddr=SimpleNamespace(port=port), pid=pid)


@pytest.mark.parametrize(
    ("url", "arguments", "expected"),
    [
        ("http://127.0.0.1:8080/v1", ["python", "-m", "fleet_stack.servers.llm", "m", "8080"], [5]),
        ("http://127.0.0.1:8080/v1", ["llama-server"], []),
        ("http://10.0.0.7:8080/v1", ["python", "-m", "fleet_stack.servers.llm"], []),
    ],
    ids=["ours", "of_others", "elsewhere"],
)
def test_only_our_own_server_gets_the_signal(url, arguments, expected):
    """SIGUSR1 ends a program that does not expect it."""
    killed = []

    told = signal_own_server(
        url,
        lambda: [listener(5, 8080), listener(6, 9)],
        lambda _: arguments,
        lambda pid, number: killed.append((pid, number)),
    )

    assert killed == [(pid, signal.SIGUSR1) for pid in expected]
    assert told is bool(expected)


def ask_about(handler):
    return make_ask("http://server:1/v1", httpx2.MockTransport(handler))


def test_questions_go_to_the_root():
    """Routes of a kind stand beside OpenAI's, not below them."""
    seen = []

    def handle(request):
        seen.append((request.method, str(request.url), request.read()))
        return httpx2.Response(200, json={"a": 1})

    assert ask_about(handle)("POST", "/api/x?y=1", {"b": 2}) == {"a": 1}
    assert seen == [("POST", "http://server:1/api/x?y=1", b'{"b":2}')]


@pytest.mark.parametrize("content", [b"<html>", b"", b"\xff\xfe"], ids=["page", "empty", "noise"])
def test_what_is_no_json_is_none(content):
    """A server may answer with a word, with nothing, or with a page."""
    assert ask_about(lambda _: httpx2.Response(200, content=content))("GET", "/health") is None


def test_status_is_told():
    """Callers tell a missing route from a server that fails."""
    with pytest.raises(AskError, match="/x answered 404") as caught:
        ask_about(lambda _: httpx2.Response(404))("GET", "/x")

    assert caught.value.is_missing_route


def test_redirect_loop_ends():
    """Nothing is followed: a redirect is no answer."""
    loop = ask_about(lambda request: httpx2.Response(302, headers={"location": str(request.url)}))

    with pytest.raises(AskError, match="answered 302"):
        loop("GET", "/x")


@pytest.mark.parametrize(
    ("pieces", "times"),
    [([b"x" * 600_000] * 2, [0, 1, 2]), ([b"x"] * 3, [0, 1, 2, 5])],
    ids=["too_much", "too_slow"],
)
def test_answer_without_end_is_cut(pieces, times):
    """A server that sends for ever, or a byte a second, holds nobody up."""
    with pytest.raises(AskError, match="has no end"):
        read_bounded(pieces, iter(times).__next__)
