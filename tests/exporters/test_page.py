"""The page and its server."""

from __future__ import annotations

import gzip
import http.client
import socket
import subprocess
import threading
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from fix_http import serving
from fleet_exporters.catalogue import CATALOGUE, HISTOGRAM_SUFFIXES
from fleet_exporters.errors import ExporterError
from fleet_exporters.sample import Sample, Tick, Verdict
from fleet_exporters.sinks.page.access import Access
from fleet_exporters.sinks.page.prometheus import Exposition
from fleet_exporters.sinks.page.server import Server
from fleet_exporters.sinks.page.text_format import render
from prometheus_client.parser import text_string_to_metric_families

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TICK_SECONDS = 5


def tick(*samples):
    """Return a tick of these samples."""
    return Tick(NOW, samples, Verdict("idle", 1.0, "test"))


def whole_catalogue():
    """Return one sample of every series of the catalogue."""
    for spec in CATALOGUE.values():
        labels = dict.fromkeys(spec.labels, "x")
        if spec.kind == "histogram":
            for suffix in HISTOGRAM_SUFFIXES:
                bucket = {"le": "+Inf"} if suffix == "_bucket" else {}
                yield Sample(spec.name + suffix, labels | bucket, 1)
        else:
            yield Sample(spec.name, labels, 1)


class Served:
    """A running server, its page and its clock."""

    def __init__(self):
        self.now = 100.0
        self.page = Exposition(lambda: self.now)
        self.server = Server(("127.0.0.1", 0), {b"": self.page}.get, TICK_SECONDS, lambda: self.now)

    def get(self, path, **headers):
        """Return status, headers and body of one request."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.server_port)) as asked:
            asked.request("GET", path, headers=headers)
            answer = asked.getresponse()
            return answer.status, answer.headers, answer.read()


@pytest.fixture
def served():
    made = Served()
    with serving(made.server):
        yield made


def test_golden_page():
    """Every metric of the catalogue is on the page with HELP, TYPE and labels, as it was agreed."""
    golden = Path(__file__).parent / "golden_metrics.txt"

    assert golden.read_text() == render(whole_catalogue()).decode()


def test_page_is_read_as_it_was_meant():
    """Names, labels and values come back from Prometheus' own parser, whatever is in a label."""
    hostile = 'a"b\\c\nd{e}=,ü'
    samples = [
        Sample("fleet_disk_free_bytes", {"mount": hostile}, 1.5),
        Sample("fleet_disk_free_bytes", {"mount": "/"}, 2e18),
        Sample("fleet_llm_requests_total", {"model": "m", "outcome": "ok"}, 3),
        Sample("fleet_load_1m", {}, 0.25),
    ]
    families = text_string_to_metric_families(render(samples).decode())
    found = [(s.name, s.labels, s.value) for family in families for s in family.samples]

    assert found == [(s.name, s.labels, s.value) for s in samples]


def test_server_ends_though_nobody_comes():
    """It waits for connections without waking up, and ends at once when it is told to."""
    server = Server(("127.0.0.1", 0), {b"": Exposition()}.get, TICK_SECONDS)
    thread = threading.Thread(target=server.serve)
    thread.start()

    server.end()
    thread.join(10)

    assert not thread.is_alive()


def test_page_passes_promtool(promtool):
    """Prometheus' own linter has nothing to say about names, types and helps."""
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=render(whole_catalogue()),
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")


def test_metrics_are_served(served):
    """A scrape gets the text format, plain or compressed as it asks."""
    served.page.publish(tick(Sample("fleet_load_1m", {}, 0.5)))

    status, headers, plain = served.get("/metrics")
    _, packed_headers, packed = served.get("/metrics", **{"Accept-Encoding": "gzip"})

    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"fleet_load_1m 0.5\n" in plain
    assert packed_headers["Content-Encoding"] == "gzip"
    assert plain == gzip.decompress(packed)


def test_page_is_for_who_has_the_token(served):
    """Others are told what they lack; whether the exporter lives is no secret."""
    served.page.access = Access(lambda: [sha256(b"Mixed-Case").hexdigest()])
    served.page.publish(tick(Sample("fleet_load_1m", {}, 0.5)))

    status, headers, body = served.get("/metrics")

    assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer realm="fleet"')
    assert b"fleet_load_1m" not in body
    assert served.get("/metrics", Authorization="Bearer Mixed-Case")[0] == 200
    assert served.get("/healthz")[0] == 200


def test_counters_are_fresh_between_ticks(served):
    """New counters are on the page at once, the machine's last readings stay."""
    labels = {"model": "m", "kind": "prompt"}
    served.page.publish_counters([Sample("fleet_llm_tokens_total", labels, 1)])
    served.page.publish(tick(Sample("fleet_load_1m", {}, 0.5)))
    served.page.publish_counters([Sample("fleet_llm_tokens_total", labels, 9)])

    body = served.get("/metrics")[2].decode()

    assert 'fleet_llm_tokens_total{kind="prompt",model="m"} 9.0' in body
    assert "fleet_load_1m 0.5" in body


def test_no_page_before_the_first_tick(served):
    """Half a page would look like a machine without sensors."""
    served.page.publish_counters([])

    assert [served.get("/metrics")[0], served.get("/healthz")[0]] == [503, 503]


def test_old_page_is_not_served_as_new(served):
    """When the tick hangs, the target goes down instead of freezing."""
    served.page.publish(tick(Sample("fleet_load_1m", {}, 0.5)))
    served.now += 4 * TICK_SECONDS
    fresh = served.get("/healthz")[0]
    served.now += 0.1

    assert [fresh, served.get("/healthz")[0], served.get("/metrics")[0]] == [200, 503, 503]


def test_other_paths_are_unknown(served):
    """There is nothing else to be had."""
    assert served.get("/")[0] == 404


def test_connection_is_kept(served):
    """Prometheus asks again on the same connection."""
    served.page.publish(tick(Sample("fleet_load_1m", {}, 0.5)))
    with closing(http.client.HTTPConnection("127.0.0.1", served.server.server_port)) as asked:
        sockets = set()
        for _ in range(2):
            asked.request("GET", "/metrics")
            asked.getresponse().read()
            sockets.add(asked.sock)

    assert len(sockets) == 1


def test_client_that_hangs_up_is_no_error(served, caplog):
    """A scrape that was given up leaves no traceback; a fault of ours does."""
    for problem in (ConnectionResetError("gone"), ValueError("ours")):
        try:
            raise problem
        except (OSError, ValueError):
            served.server.handle_error(None, ("127.0.0.1", 1))

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "request failed"
    ]


def test_port_in_use_is_one_sentence():
    """A port that is taken is named, with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ExporterError, match=f"{port} cannot be used: Address already in use"):
            Server(("127.0.0.1", port), {b"": Exposition()}.get, TICK_SECONDS)
