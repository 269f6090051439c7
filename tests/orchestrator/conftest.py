"""The database that these tests share (see fix_fleet), the shipped scenarios, a model server."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from fleet_orchestrator.generation import catalogue
from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.model_server.endpoint import connect
from fleet_orchestrator.store import Store
from fleet_orchestrator.worker import Worker, read_limits

sys.path.insert(0, str(Path(__file__).parent))

import agents as agents_module
import fix_fleet
import model_server as model_server_module

fleet, module_database = fix_fleet.fleet, fix_fleet.module_database
model_server, environ = model_server_module.model_server, model_server_module.environ
agents = agents_module.agents

SCENARIOS = sorted(path.stem for path in (catalogue.FOLDER / "scenarios").glob("*.json"))


def pytest_generate_tests(metafunc):
    """Hand each shipped scenario to the tests that ask for a `scenario_name`."""
    if "scenario_name" in metafunc.fixturenames:
        metafunc.parametrize("scenario_name", SCENARIOS)


@pytest.fixture
def definition(scenario_name):
    """The definition of one shipped scenario."""
    path = catalogue.FOLDER / "scenarios" / f"{scenario_name}.json"
    return json.loads(path.read_text())["definition"]


@pytest.fixture
def billing():
    path = catalogue.FOLDER / "scenarios" / "healthcare_billing.json"
    return json.loads(path.read_text())["definition"]


@pytest.fixture
def template():
    return (catalogue.FOLDER / "prompts" / "one_shot.j2").read_text()


@pytest.fixture
def worker(fleet, model_server, tmp_path):
    """A worker of node alpha, its threads not started, asking the model server of the test."""
    worker_id = uuid.uuid4()
    made = Worker(
        lambda: Store(lambda: fleet.database.connect("alpha"), worker_id),
        connect(model_server.url, "tiny"),
        tmp_path,
    )
    yield made
    made.end()
    made.endpoint.client.close()


@pytest.fixture
def store(worker):
    """The worker's way to the database."""
    store = worker.store()
    yield store
    store.close()


@pytest.fixture
def attempt(fleet, worker, store):
    """Claim the next task and write it as the worker does; what failed, None if nothing did."""

    def run(**limits):
        task = store.claim()
        assert task is not None, "nothing to claim"
        known = worker.endpoint.known
        known.continuation = known.continuation or "starts_over"  # else it is asked first
        worker.write(store, task, replace(read_limits(store), **limits), worker.endpoint)
        failures = fleet.rows(
            "SELECT kind FROM fleet.task_failures WHERE task_id = %s AND attempt = %s",
            task.task_id, task.attempt,
        )  # fmt: skip
        return failures[0]["kind"] if failures else None

    return run


@pytest.fixture
def write_elsewhere(fleet):
    """Have node beta write the next task, about the people that its seed gives."""

    def write(texts=fix_fleet.TURNS):
        held = fleet.claim_one("beta")
        persona = make_persona(held.row["definition"], held.row["seed"])
        return held.start(persona).store(texts).finish()

    return write


class AbsentOnce(Store):
    """A way to a database that is away at the first call of some methods."""

    def __init__(self, of: Store, methods: tuple[str, ...]) -> None:
        super().__init__(of._connect, of.worker_id)
        for name in methods:
            setattr(self, name, absent_once(getattr(self, name)))


def absent_once(action):
    """The action, with a database that is away at the first call."""
    errors = [psycopg.OperationalError("the server does not answer")]

    def call(*args, **rest):
        if errors:
            raise errors.pop()
        return action(*args, **rest)

    return call


@pytest.fixture
def absent_at(worker):
    """A way to the database that is away at the first call of each of these methods."""
    with ExitStack() as stack:
        yield lambda *methods: stack.enter_context(closing(AbsentOnce(worker.store(), methods)))


@pytest.fixture
def beside():
    """Run something in a thread; its end is awaited, and it must not fail."""
    threads, failures = [], []

    def start(action, *args):
        def run():
            try:
                action(*args)
            except BaseException as exc:  # noqa: BLE001 - told below
                failures.append(exc)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive(), "a thread of the test does not end"
    assert failures == []
