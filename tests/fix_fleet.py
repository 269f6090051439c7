"""
A database of the fleet for the tests of tests/timescale and tests/orchestrator.

A test module has one copy of the template; `fleet` empties it after each test, which is quicker
than a copy a test. A conftest.py imports both fixtures:

    from fix_fleet import fleet, module_database
"""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from fix_postgres import copy_database
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fix_postgres import Database
    from fleet_timescale.connection import Connection

TURNS = (
    "Thank you for calling Lakeside Clinic, how may I help you?",
    "Hello, I have a question about my bill.",
    "Of course. Which visit is it about?",
    "It is about the one in March. Thank you, goodbye.",
)
PERSONA = {"values": {"customer_name": "Marisol Quintana"}, "personal": ["customer_name"]}
WIPE = """
SET session_replication_role = replica;  -- also rows that a trigger or a foreign key guards
DELETE FROM fleet.model_probes;
DELETE FROM fleet.task_failures; DELETE FROM fleet.node_models; DELETE FROM fleet.turn_tries;
DELETE FROM fleet.healthcare_violations; DELETE FROM fleet.sketches;
DELETE FROM fleet.rejections; DELETE FROM fleet.grades; DELETE FROM fleet.turns;
DELETE FROM fleet.conversations; DELETE FROM fleet.tasks; DELETE FROM fleet.jobs;
DELETE FROM fleet.node_counters; DELETE FROM fleet.config; DELETE FROM fleet.commands;
DELETE FROM fleet.node_invitations; DELETE FROM fleet.scrape_token;
DELETE FROM fleet.count_changes; DELETE FROM fleet.job_totals; DELETE FROM fleet.node_totals;
DELETE FROM fleet.scenario_totals; DELETE FROM telemetry.task_transitions;
DELETE FROM telemetry.llm_requests;
DELETE FROM telemetry.generation_1m; DELETE FROM telemetry.generation_1h;
DELETE FROM telemetry.events; DELETE FROM telemetry.hardware;
DELETE FROM telemetry.gpu; DELETE FROM telemetry.disks; DELETE FROM telemetry.temperatures;
DELETE FROM telemetry.network; DELETE FROM telemetry.disk_io;
DELETE FROM telemetry.dirty_minutes; DELETE FROM telemetry.due;
DELETE FROM telemetry.temperatures_1m; DELETE FROM telemetry.temperatures_1h;
DELETE FROM telemetry.peers; DELETE FROM telemetry.storage;
DELETE FROM fleet.peer_agents; DELETE FROM fleet.peer_pairs;
DELETE FROM control.alert_notes; DELETE FROM control.alert_deliveries;
DELETE FROM control.silences; DELETE FROM control.alerts;
DELETE FROM control.audit; DELETE FROM control.sessions;
DELETE FROM control.tokens; DELETE FROM control.users;
DELETE FROM fleet.nodes WHERE node NOT IN ('alpha', 'beta');
UPDATE fleet.nodes SET removed_at = NULL, last_heartbeat_at = NULL, given_class = NULL,
  vram_bytes = NULL, is_expected = true,
  noted_state = NULL, is_off = false, machine = NULL, machine_host = NULL, machine_seen_at = NULL,
  llm_circuit_opened_at = NULL,  roles = '{generate,quality}', worker_state = 'stopped';
UPDATE fleet.state SET state = 'running', stopped_at = NULL;
UPDATE fleet.leader SET master_id = NULL, lease_until = NULL, epoch = 0, failed_over_at = NULL;
DELETE FROM fleet.master_rounds; DELETE FROM fleet.node_calendar;
RESET session_replication_role;
"""


def wait_until(is_true: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Ask until the answer is true, and return it; fail with `what` was waited for."""
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not (answer := is_true()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        pause.wait(0.02)
    return answer


@contextmanager
def fleet_error(*parts: str, sqlstate: str | None = None) -> Iterator[None]:
    """Expect an error of the database whose message or hint has all of these parts."""
    with pytest.raises(psycopg.Error) as caught:
        yield
    told = f"{caught.value.diag.message_primary} | {caught.value.diag.message_hint}"
    assert [part for part in parts if part not in told] == [], told
    assert sqlstate in (None, caught.value.sqlstate)


@dataclass
class Held:
    """A claimed task in the hands of a worker; its calls go in through the login of `node`."""

    fleet: Fleet
    node: str
    worker: uuid.UUID
    row: dict[str, Any]

    @property
    def key(self) -> tuple[uuid.UUID, uuid.UUID, int]:
        return self.row["task_id"], self.worker, self.row["attempt"]

    def call(self, function: str, *rest: Any, node: str | None = None, **fence: Any) -> Any:
        """Call a function of the fence (task, worker, attempt); keywords forge a part of it."""
        task, worker, attempt = self.key
        fenced = (task, fence.get("worker", worker), fence.get("attempt", attempt))
        marks = ", ".join(["%s"] * (3 + len(rest)))
        sql = f"SELECT fleet.{function}({marks}) AS value"
        return self.fleet.value(sql, *fenced, *rest, user=node or self.node)

    def start(self, persona: dict[str, Any] = PERSONA) -> Held:
        prompt = self.fleet.value("SELECT max(prompt_id) AS value FROM fleet.prompts")
        self.call("start_task", prompt, Jsonb(persona))
        return self

    def store(self, texts: tuple[str, ...] = TURNS) -> Held:
        for position, text in enumerate(texts, start=1):
            self.call("store_turn", position, ("customer", "agent")[position % 2], text)
        return self

    def release(self, error: str = "no answer", *, kind: str | None = None) -> None:
        self.call("release_task", kind, error)

    def fail(self, error: str = "no answer", *, kind: str = "bad_answer") -> None:
        self.release(error, kind=kind)

    def finish(self) -> uuid.UUID:
        return self.call("finish_task", "tiny")

    def write(self, texts: tuple[str, ...] = TURNS) -> uuid.UUID:
        """Start, store, finish; return the conversation."""
        return self.start().store(texts).finish()


@dataclass
class Fleet:
    """The database and what tests do with it most."""

    database: Database
    connections: dict[str, Connection] = field(default_factory=dict)

    def connection(self, user: str = "fleet_owner") -> Connection:
        if user not in self.connections:
            self.connections[user] = self.database.connect(user)
        return self.connections[user]

    def rows(self, sql: str, *params: Any, user: str = "fleet_owner") -> list[dict[str, Any]]:
        cursor = self.connection(user).execute(sql, params or None)
        return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, *params: Any, user: str = "fleet_owner") -> Any:
        """The only column of the only row."""
        (row,) = self.rows(sql, *params, user=user)
        (value,) = row.values()
        return value

    def submit(self, scenario: str = "order_status", count: int = 1, **options: Any) -> uuid.UUID:
        """Order a job and split it."""
        names = "".join(f", p_{name} => %s" for name in options)
        job = self.value(
            f"SELECT fleet.submit_job(%s, %s, 'tests'{names})", scenario, count, *options.values()
        )
        self.rows("SELECT fleet.split_jobs()")
        return job

    def claim(self, limit: int = 1, node: str = "alpha", worker: uuid.UUID | None = None):
        worker = worker or uuid.uuid4()
        rows = self.rows("SELECT * FROM fleet.claim_tasks(%s, %s)", worker, limit, user=node)
        return [Held(self, node, worker, row) for row in rows]

    def claim_one(self, node: str = "alpha", worker: uuid.UUID | None = None) -> Held:
        (held,) = self.claim(1, node, worker)
        return held

    def write(self, texts: tuple[str, ...] = TURNS, scenario: str = "order_status") -> uuid.UUID:
        """Have alpha write one conversation."""
        self.submit(scenario)
        return self.claim_one().write(texts)

    def task(self, held: Held) -> dict[str, Any]:
        (row,) = self.rows("SELECT * FROM fleet.tasks WHERE task_id = %s", held.row["task_id"])
        return row

    def counters(self, name: str, node: str = "alpha") -> dict[tuple[str, ...], float]:
        """Values of a counter by the values of its labels, in the order of their names."""
        rows = self.rows("SELECT * FROM fleet.read_counters()", user=node)
        return {
            tuple(value for _, value in sorted(row["labels"].items())): row["value"]
            for row in rows
            if row["name"] == name
        }

    def beat(self, *nodes: str) -> None:
        """Have these nodes be on, as their agents say."""
        for node in nodes:
            self.rows("SELECT fleet.heartbeat('1', 'running', 0)", user=node)

    def let_leases_end(self) -> None:
        """Move all leases into the past, but not to before the server's start."""
        past = "now() - interval '1 millisecond'"
        self.rows(f"UPDATE fleet.tasks SET lease_until = {past} WHERE lease_until IS NOT NULL")
        self.rows(f"UPDATE fleet.conversations SET judging_until = {past}")

    def decide(self, *, can_write: bool, node: str = "alpha") -> int:
        """Have a node show by a canary call whether it can write."""
        return self.value("SELECT fleet.decide_failures(%s)", can_write, user=node)

    def set(self, key: str, value: float | str, scope: str = "fleet") -> int:
        return self.value(
            "SELECT fleet.set_config(%s, %s, %s, 'tests', 'quick')", scope, key, value
        )


@pytest.fixture(scope="module")
def module_database(database_template):
    """One copy a test module."""
    with copy_database(database_template) as copy:
        yield copy


@pytest.fixture
def fleet(module_database):
    """The emptied database of the module, with scenarios, settings, and nodes alpha and beta."""
    made = Fleet(module_database)
    yield made
    for connection in made.connections.values():
        connection.close()
    with module_database.connect() as owner:
        owner.execute(WIPE)
