"""What Prometheus adds up from the page equals SQL, whoever was restarted, killed or away."""

from __future__ import annotations

import uuid
from contextlib import closing

import psycopg
import pytest
from fix_fleet import wait_until
from fleet_orchestrator.model_server.endpoint import Endpoint
from fleet_orchestrator.store import Store
from fleet_orchestrator.worker import Worker

COUNTERS = "SELECT name, labels, value FROM fleet.read_counters()"
SQL_TOTALS = """SELECT count(*)::int AS calls, sum(prompt_tokens + completion_tokens)::int AS tokens
FROM telemetry.llm_requests WHERE node = 'alpha'"""


class Totals:
    """What increase() makes of the scrapes of each series: a fall is a reset, and noted."""

    def __init__(self):
        self._last = {}
        self._sums = {}
        self.resets = []

    def add(self, scraped):
        for series, value in scraped.items():
            last = self._last.get(series, 0.0)
            if value < last:
                self.resets.append(series)
                last = 0.0
            self._sums[series] = self._sums.get(series, 0.0) + value - last
            self._last[series] = value

    def of(self, name):
        return sum(value for series, value in self._sums.items() if series[0] == name)


@pytest.fixture
def restart_worker(server, exporter):
    """Start the worker's half that counts, as often as one likes; only its files outlive it."""
    stores = []

    def start():
        worker = Worker(
            lambda: Store(lambda: server.connect("alpha"), uuid.uuid4()),
            Endpoint(None, "m"),  # nobody calls it
            exporter.runtime_folder,
        )
        stores.append(worker.store())
        return lambda: worker.publish_counters(stores[-1])

    yield start
    for store in stores:
        store.close()


def call_model(server, model="m", tokens=100):
    """Have node alpha note one call, as its worker does in the transaction of the row."""
    with server.connect("alpha") as node:
        node.execute(
            "SELECT fleet.record_llm_request(%s, NULL, %s, %s, 7, 1.5, 0.2, 'ok')",
            [uuid.uuid4(), model, tokens],
        )


def read_sql(server):
    """Return the counters of alpha by series."""
    with server.connect("alpha") as node:
        return {
            (row["name"], *sorted(row["labels"].items())): row["value"]
            for row in node.execute(COUNTERS)
        }


def test_totals_equal_sql_after_restarts_kills_and_an_outage(server, exporter, restart_worker):
    """Neither a new worker, nor a killed exporter, nor a database that was away is a reset."""
    totals = Totals()

    def settle():
        wanted = read_sql(server)

        def is_there():
            scraped = exporter.scrape() or {}
            ours = {series: value for series, value in scraped.items() if series in wanted}
            totals.add(ours)
            return ours == wanted

        wait_until(is_there, "the page equals SQL")

    publish = restart_worker()
    call_model(server)
    publish()
    exporter.start()
    settle()
    publish = restart_worker()
    publish()
    call_model(server)
    publish()
    settle()
    exporter.kill()
    call_model(server, "another")
    publish()
    exporter.start()
    settle()
    server.stop("immediate")
    with pytest.raises(psycopg.OperationalError):
        publish()
    totals.add({s: v for s, v in exporter.scrape().items() if s[0].startswith("fleet_llm_")})
    exporter.kill()
    exporter.start()
    server.start()
    publish = restart_worker()
    call_model(server)
    publish()
    settle()

    with closing(server.connect()) as owner:
        sql = owner.execute(SQL_TOTALS).fetchone()
    assert totals.resets == []
    assert totals.of("fleet_llm_requests_total") == sql["calls"]
    assert totals.of("fleet_llm_tokens_total") == sql["tokens"]
    assert totals.of("fleet_llm_request_duration_seconds_count") == sql["calls"]
