"""The stream of events, and what holds for all streams, in gunicorn."""

from __future__ import annotations

import json
import signal
import socket
import time
import uuid
from contextlib import ExitStack
from threading import BoundedSemaphore

import pytest
import requests

TELL = "SELECT fleet.record_event(%s, NULL, 'info', 'node_seen', %s)"
HEAD = "GET /api/v1/healthz HTTP/1.1\r\nHost: x\r\n"


def tell(connection, message):
    connection.execute(TELL, [uuid.uuid4(), message])


class Stream:
    """A client that reads server-sent events."""

    def __init__(self, api, last_event_id=None):
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        self.response = api.call("GET", "/events", stream=True, headers=headers)
        self.lines = self.response.iter_lines(chunk_size=1, decode_unicode=True)
        self.last_event_id = last_event_id

    def __enter__(self):
        # Sent once the place in the stream is found: what is told later is read.
        assert next(self.lines) == ": events of the fleet"
        return self

    def __exit__(self, *_):
        self.response.close()

    def read(self, count):
        """The messages of the next events."""
        found = []
        for line in self.lines:
            if line.startswith("id: "):
                self.last_event_id = line.removeprefix("id: ")
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: "))["message"])
                if len(found) == count:
                    break
        return found


def test_events_are_streamed_as_they_are_told(api_server, owner):
    """What is told after the stream was opened arrives, in one line of JSON, with its kind."""
    tell(owner, "before")
    with Stream(api_server) as stream:
        assert stream.response.headers["Content-Type"] == "text/event-stream"
        tell(owner, "first")
        tell(owner, "second\n\ndata: forged")

        assert stream.read(2) == ["first", "second data: forged"]


def test_stream_continues_after_the_last_event(api_server, owner):
    """Nothing that was told meanwhile is missed or told twice."""
    with Stream(api_server) as stream:
        tell(owner, "first")
        stream.read(1)
    tell(owner, "second")
    tell(owner, "third")
    with Stream(api_server, stream.last_event_id) as again:
        assert again.read(2) == ["second", "third"]


def test_late_commit_is_not_missed(api_server, owner, database):
    """A transaction that tells first and commits last holds later events back, and comes first."""
    with Stream(api_server) as stream, database.connect() as slow:
        slow.execute("BEGIN")
        tell(slow, "told first")
        tell(owner, "told second")
        slow.execute("COMMIT")

        assert stream.read(2) == ["told first", "told second"]


@pytest.mark.parametrize("place", ["x", "5", f"1-{uuid.UUID(int=1)};--", "9" * 19, "1-\u00e9"])
def test_unusable_place_is_refused(lasting_api, place):
    """What is no id of an event is said, and no stream begins."""
    answer = lasting_api.call(
        "viewer", "GET", "/events", headers={"Last-Event-ID": place.encode().decode("latin1")}
    )

    expected = 404 if place.isascii() else 422
    assert (answer.status_code, answer.mimetype) == (expected, "application/problem+json")


def test_place_of_another_database_begins_now(api_server, owner):
    """After a restore the numbers may have been beyond ours: the stream goes on all the same."""
    with Stream(api_server, f"{10**17}-{uuid.uuid4()}") as stream:
        tell(owner, "first")

        assert stream.read(1) == ["first"]


def test_ninth_stream_is_refused(lasting_api):
    """It is told when to come again, and no thread waits."""
    lasting_api.use(streams=BoundedSemaphore(1))
    lasting_api.app.extensions["fleet"].streams.acquire()
    for path in ("/events", "/exports/lex"):
        answer = lasting_api.call("viewer", "GET", path)

        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


def test_change_has_a_thread_while_all_streams_are_held(api_server):
    """With 8 streams held and 20 more refused, a pause is answered."""
    with ExitStack() as held:
        streams = [held.enter_context(Stream(api_server)) for _ in range(8)]
        refused = [api_server.call("GET", "/events") for _ in range(20)]
        paused = api_server.call("POST", "/fleet/pause")

        assert {each.status_code for each in refused} == {503}
        assert all(int(each.headers["Retry-After"]) > 0 for each in refused)
        assert paused.status_code == 200
        assert len(streams) == 8


def test_slow_clients_hold_no_thread_for_long(api_server):
    """More half requests than there are threads: each is cut off, half a body is a problem."""
    host, port = api_server.url.removeprefix("http://").split("/")[0].split(":")
    with ExitStack() as held:
        slow = [
            held.enter_context(socket.create_connection((host, int(port)), 60)) for _ in range(40)
        ]
        for each in slow[1:]:
            each.sendall(HEAD.encode())
        slow[0].sendall(
            f"POST /api/v1/fleet/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {api_server.token}\r\n\r\n"
            '{"rea'.encode()
        )

        assert requests.get(f"{api_server.url}/healthz", timeout=30).status_code == 200
        assert slow[0].recv(65536).startswith(b"HTTP/1.1 400 ")
    assert api_server.call("GET", "/fleet").json()["state"] == "running"


def test_stream_ends_with_its_token(api, monkeypatch):
    """A token that is revoked while its stream is open is found at the next beat."""
    monkeypatch.setattr("fleet_control_api.routes.events.PAUSE", 0.01)
    answer = api.call("viewer", "GET", "/events", buffered=False)
    pieces = iter(answer.response)
    next(pieces)
    api.owner.execute("UPDATE control.tokens SET revoked_at = now()")

    assert [piece for piece in pieces if b"alive" not in piece] == []
    answer.close()


def test_program_ends_though_streams_are_open(api_server):
    """An open stream does not hold up the end of the program."""
    with Stream(api_server):
        began = time.monotonic()
        api_server.process.send_signal(signal.SIGTERM)

        assert api_server.process.wait(5) == 0
        assert time.monotonic() - began < 5
