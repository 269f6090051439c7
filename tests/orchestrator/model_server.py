"""
A small OpenAI-compatible server that speaks the outline it is given, and misbehaves when told to.

Each request takes the next behaviour of `plan`; when that is empty, the answer is good. When a
worker asks whether it continues a begun answer, `manner` is what it does: continues, starts_over or
refuses.
"""

from __future__ import annotations

import collections
import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from fix_http import QuietHandler, serving
from fleet_orchestrator.model_server import continuation

PIECE = 16  # characters a chunk


@dataclass(frozen=True)
class Answer:
    """
    One behaviour: what happens, and after how many turns; `raw` sends this body as it is.

    Where turns are asked for one by one, those before it are good.
    """

    kind: str
    turns: int = 0
    body: bytes = b""
    content_type: str = "text/event-stream"
    text: str = ""


GOOD = Answer("good")


@dataclass
class ModelServer:
    """What the tests plan, and what they look at afterwards."""

    plan: collections.deque[Answer] = field(default_factory=collections.deque)
    always: Answer | None = None
    poison: str = ""
    counts_turns: bool = False  # says in each turn which one it is, so that no two are alike
    manner: str = "continues"
    requests: list[dict[str, Any]] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)
    slots: list[dict[str, Any]] | None = None
    looks: int = 0  # at the slots
    models: list[str] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def choose(self, request: dict[str, Any]) -> Answer:
        """Take the next of the plan; a sick server and a poisoned request have theirs always."""
        if self.poison and self.poison in str(request["messages"]):
            return Answer("refused")
        if self.plan and begun(request) >= self.plan[0].turns:
            return self.always or self.plan.popleft()
        return self.always or GOOD

    def count(self, prompt_tokens: int, completion_tokens: int) -> None:
        with self.lock:
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens


def is_canary(request: dict[str, Any]) -> bool:
    """True for a call that asks for one sentence only, to see whether we live."""
    return "text" in request["response_format"]["json_schema"]["schema"]["properties"]


def is_continuation(request: dict[str, Any]) -> bool:
    """True for a call whose last message is the beginning of the answer."""
    return request["messages"][-1]["role"] == "assistant"


def is_probe(request: dict[str, Any]) -> bool:
    """True for the call that finds out our manner."""
    return request["messages"][-1]["content"] == continuation.BEGINNING


def begun(request: dict[str, Any]) -> float:
    """How many turns the beginning of the answer has; any number when all are asked for at once."""
    turns = beginning_of(request)
    return len(turns) - 1 if turns else float("inf")


def beginning_of(request: dict[str, Any]) -> list[dict[str, str]]:
    """The turns of a beginning that ends inside the words of the last one; none of any other."""
    if not is_continuation(request):
        return []
    try:
        turns = json.loads(request["messages"][-1]["content"] + '"}]}')["turns"]
    except ValueError:
        return []
    return list(turns)


def speak(request: dict[str, Any], *, counts_turns: bool = False) -> list[dict[str, str]]:
    """Turns that do what the schema's positions want, in words that quality accepts."""
    if turns := beginning_of(request):
        return [turns[-1] | {"text": say(turns[-1]["does"], len(turns) * counts_turns)}]
    schema = request["response_format"]["json_schema"]["schema"]
    positions = [item["properties"] for item in schema["properties"]["turns"]["prefixItems"]]
    return [
        {
            "speaker": position["speaker"]["const"],
            "does": position["does"]["const"],
            "text": say(position["does"]["const"], number * counts_turns),
        }
        for number, position in enumerate(positions, start=1)
    ]


def say(does: str, number: int) -> str:
    """What is done as a spoken sentence, with the number of the turn unless that is 0."""
    return f"Well, {does}, the point number {number}." if number else f"Well, {does}."


class Handler(QuietHandler):
    """POST /v1/chat/completions, streamed; GET /slots."""

    protocol_version = "HTTP/1.1"
    model_server: ModelServer

    def do_POST(self):
        server = self.model_server
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            if is_probe(request):
                server.probes.append(request)
                answer = server.always or Answer(server.manner)
            else:
                server.requests.append(request)
                answer = server.choose(request)
        getattr(self, answer.kind)(request, answer)

    def do_GET(self):
        """Tell the slots as llama.cpp does; other servers have none."""
        server = self.model_server
        with server.lock:
            server.looks += self.path == "/slots"
        if self.path == "/slots" and server.slots is not None:
            self.reply(200, json.dumps(server.slots).encode())
        elif self.path == "/v1/models":
            listed = {"data": [{"id": model} for model in server.models]}
            self.reply(200, json.dumps(listed).encode())
        else:
            self.reply(404, b'{"error": "no such page"}')

    def continues(self, request, answer):
        """Go on behind the last character of the beginning."""
        rest = continuation.ANSWER.removeprefix(continuation.BEGINNING)
        self.send_whole(request, rest)

    def starts_over(self, request, answer):
        """Take the beginning for a whole answer, and give another one."""
        self.send_whole(request, continuation.ANSWER)

    def refuses(self, request, answer):
        """Take no chat that ends with the assistant, as hosted services do."""
        self.refuse(request, 400)

    def good(self, request, answer):
        if beginning_of(request):
            self.send_turns(request, speak(request, counts_turns=self.model_server.counts_turns))
        elif is_continuation(request):
            self.send_whole(request, ", how are you?")
        elif is_canary(request):
            self.send_whole(request, '{"text": "Hello, how are you?"}')
        else:
            self.send_turns(request, speak(request, counts_turns=self.model_server.counts_turns))

    def says(self, request, answer):
        """Speak these words in the turn after so many, in the place of good ones."""
        turns = speak(request)
        turns[0 if beginning_of(request) else answer.turns]["text"] = answer.text
        self.send_turns(request, turns)

    def writes(self, request, answer):
        """Answer with this text as it stands."""
        self.begin()
        self.end(request, self.send_text(answer.text))

    def few(self, request, answer):
        self.send_turns(request, speak(request)[: answer.turns])

    def wrong_speaker(self, request, answer):
        turns = speak(request)
        turns[answer.turns]["speaker"] = turns[answer.turns - 1]["speaker"]
        self.send_turns(request, turns)

    def refusal(self, request, answer):
        self.begin()
        self.send_text("I cannot help with that.")
        self.end(request, 7)

    def cut(self, request, answer):
        """Break the connection in the middle of an answer."""
        self.begin()
        self.send_text(self.beginning(request, answer.turns))
        self.connection.close()
        self.close_connection = True

    def hang(self, request, answer):
        """Say nothing more after some turns, until the test goes on."""
        self.begin()
        self.send_text(self.beginning(request, answer.turns))
        self.model_server.go_on.wait()
        self.close_connection = True

    def late(self, request, answer):
        """Answer well, but not before the test goes on."""
        self.model_server.go_on.wait()
        self.good(request, answer)

    def drip(self, request, answer):
        """After some turns write on and on, until nobody listens any more."""
        self.begin()
        self.send_text(self.beginning(request, answer.turns))
        try:
            while not self.model_server.go_on.wait(0.02):
                self.send_text(".")
        except OSError:
            self.model_server.hung_up.set()
        self.close_connection = True

    def listen(self, request, answer):
        """Say a word, and nothing more until the other side hangs up."""
        self.begin()
        self.send_text("Hello")
        if self.connection.recv(1) == b"":
            self.model_server.hung_up.set()
        self.close_connection = True

    def silent(self, request, answer):
        """Not even answer."""
        self.model_server.go_on.wait()
        self.close_connection = True

    def not_json(self, request, answer):
        self.begin()
        self.send_line("data: <html>bad gateway</html>")
        self.end(request, 1)

    def broken(self, request, answer):
        """A server error that quotes what it was sent, as some servers do."""
        self.refuse(request, 500)

    def busy(self, request, answer):
        """Too many calls: ask again in two hours."""
        self.send_response(429)
        self.send_header("Retry-After", "7200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def refused(self, request, answer):
        """A request that this server will never answer, too long for it for example."""
        self.refuse(request, 400)

    def login_page(self, request, answer):
        """What a hotel's network answers in the server's place."""
        self.reply(200, b"<html>please log in</html>", "text/html")

    def raw(self, request, answer):
        """Any body; tests/orchestrator/stream_shapes.py has those that servers really send."""
        self.reply(200, answer.body, answer.content_type)

    def short(self, request, answer):
        """Send a body and hang up before its announced end."""
        self.send_response(200)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body) + 1))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = True

    def hang_up(self, request, answer):
        """Close the connection without a word."""
        self.close_connection = True

    def comments(self, request, answer):
        """Send signs of life and nothing else, until nobody listens any more."""
        self.begin()
        try:
            while not self.model_server.go_on.wait(0.01):
                self.send_line(": still here")
        except OSError:
            self.model_server.hung_up.set()
        self.close_connection = True

    def refuse(self, request, status):
        error = {"error": {"message": json.dumps(request["messages"][-1])}}
        self.reply(status, json.dumps(error).encode())

    def beginning(self, request, turns):
        """The answer up to the middle of the turn that follows so many complete ones."""
        if beginning_of(request):
            return speak(request)[0]["text"][:12]
        text = json.dumps({"turns": speak(request)})
        ends = [i for i in range(len(text)) if text[i] == "}"]
        start = ends[turns - 1] + 1 if turns else 0
        return text[: start + 30]

    def send_turns(self, request, turns):
        text = json.dumps({"turns": turns})
        if beginning_of(request):
            text = json.dumps(turns[0]["text"])[1:] + '}, {"speaker": "nobody asked'
        self.send_whole(request, text)

    def send_whole(self, request, text):
        self.begin()
        self.end(request, self.send_text(text))

    def begin(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_text(self, text):
        pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        for piece in pieces:
            choice = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
            self.send_line(f"data: {json.dumps(self.chunk(choices=[choice]))}")
        return len(pieces)

    def end(self, request, completion_tokens):
        """Report usage: other numbers than one could guess from the chunks."""
        prompt_tokens = sum(len(m["content"]) for m in request["messages"]) // 4
        completion_tokens = completion_tokens * 2 + 1
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
                 "total_tokens": prompt_tokens + completion_tokens}  # fmt: skip
        self.model_server.count(prompt_tokens, completion_tokens)
        self.send_line(f"data: {json.dumps(self.chunk(choices=[], usage=usage))}")
        self.send_line("data: [DONE]")
        self.wfile.write(b"0\r\n\r\n")

    @staticmethod
    def chunk(**rest):
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "tiny", **rest}

    def send_line(self, line):
        data = f"{line}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """The worker hangs up when it wants no more; that is no error here."""


@contextmanager
def serve():
    """A running server; whatever hangs in it goes on when the test is over."""
    state = ModelServer()
    handler = type("BoundHandler", (Handler,), {"model_server": state})
    server = QuietServer(("127.0.0.1", 0), handler)
    with serving(server) as url:
        state.url = f"{url}/v1"
        yield state
        state.go_on.set()


@pytest.fixture
def model_server():
    """A model server of its own for a test."""
    with serve() as state:
        yield state


@pytest.fixture
def environ(fleet, tmp_path, model_server):
    """What the launcher tells a worker that asks this server."""
    (tmp_path / "dsn").write_text(fleet.database.dsn("alpha"))
    return {
        "PATH": os.environ["PATH"],
        "FLEET_NODE": "alpha",
        "FLEET_DATABASE_URL_FILE": str(tmp_path / "dsn"),
        "FLEET_RUNTIME_DIR": str(tmp_path),
        "FLEET_LLM_URL": model_server.url,
        "FLEET_LLM_MODEL": "tiny",
    }
