"""What stands in for our model server while its model is unloaded."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys

import pytest
from fix_ports import free_port
from fleet_stack.servers.llm_unloaded import decide_reply


@pytest.mark.parametrize(
    ("method", "path", "status", "is_wanted"),
    [
        ("GET", "/health", 200, False),
        ("GET", "/models", 200, False),
        ("GET", "/v1/models", 200, False),
        ("POST", "/v1/chat/completions", 503, False),
        ("GET", "/models/load", 503, False),
        ("POST", "/models/load", 200, True),
    ],
)
def test_only_the_wish_for_the_model_brings_it_back(method, path, status, is_wanted):
    """A call does not: while its owner plays, nobody loads a model by chance."""
    said, _, wanted = decide_reply(method, path, "small")

    assert (said, wanted) == (status, is_wanted)


@pytest.fixture
def stand_in():
    """The real program, and its port."""
    port = free_port()
    command = (sys.executable, "-m", "fleet_stack.servers.llm_unloaded", "/none/small.gguf")
    with subprocess.Popen([*command, str(port)], stdout=subprocess.PIPE, text=True) as process:
        assert "small.gguf is unloaded" in process.stdout.readline()
        yield process, port
        process.kill()


def ask(port, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    reply = connection.getresponse()
    content = json.loads(reply.read())
    connection.close()
    return reply, content


def test_it_says_what_is_unloaded_and_when_to_ask_again(stand_in):
    """The worker verifies by it that the memory is free; other callers are told to wait."""
    _, port = stand_in

    _, models = ask(port, "GET", "/models")
    refused, _ = ask(port, "POST", "/v1/chat/completions")

    assert [(m["id"], m["status"]["value"]) for m in models["data"]] == [("small", "unloaded")]
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")


def test_it_ends_when_told_to(stand_in):
    """The supervisor stops it as it stops the server; the signal to unload changes nothing."""
    process, port = stand_in
    process.send_signal(signal.SIGUSR1)
    ask(port, "GET", "/models")

    process.terminate()

    assert process.wait(10) == 0


def test_wish_for_the_model_starts_the_server_in_its_place(stand_in):
    """The same process becomes the server, which here finds no model and says so."""
    process, port = stand_in

    _, said = ask(port, "POST", "/models/load")

    assert said == {"success": True}
    assert process.wait(60) != 0
