"""The worker's two loops: writing and judging, pausing and going on, counting."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
from fix_fleet import wait_until
from fleet_orchestrator import runtime
from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.generation.conversation import decide_method
from fleet_orchestrator.lock import take_lock
from fleet_orchestrator.model_server.watch import Report
from fleet_orchestrator.server_health import Notes, ServerHealth
from model_server import Answer
from psycopg.types.json import Jsonb

JUDGED = "SELECT count(*) FROM analytics.conversations"
STATES = "SELECT state FROM analytics.tasks ORDER BY position"


@pytest.fixture
def run(worker, beside):
    """Start both loops of the worker."""

    def start():
        beside(worker.judge_all)
        beside(worker.generate)

    yield start
    worker.end()


def counters_file(worker):
    """What the exporter would publish: value by name and labels."""
    path = worker.runtime_folder / "counters.json"
    rows = json.loads(path.read_text())["counters"] if path.exists() else []
    return {(row["name"], *sorted(row["labels"].items())): row["value"] for row in rows}


def test_job_is_written_and_judged(fleet, run):
    """One conversation of each scenario is stored, judged, accepted, and no two are equal."""
    fleet.submit("mixed", 10)

    run()

    wait_until(lambda: fleet.value(JUDGED) == 10, "ten judged conversations")
    rows = fleet.rows(
        "SELECT c.scenario, c.state, r.reason, r.evidence FROM analytics.conversations c"
        " LEFT JOIN analytics.rejections r USING (conversation_id)"
    )
    assert [row for row in rows if row["state"] != "accepted"] == []
    assert len({row["scenario"] for row in rows}) == 10


def test_counters_file_equals_the_database(fleet, run, worker):
    """When all is written, the exporter is told exactly what SQL says."""
    fleet.submit("mixed", 4)

    run()

    wait_until(lambda: fleet.value(JUDGED) == 4, "four judged conversations")
    rows = fleet.rows("SELECT * FROM fleet.read_counters()", user="alpha")
    wanted = {(row["name"], *sorted(row["labels"].items())): row["value"] for row in rows}
    wanted["fleet_llm_circuit_open",] = 0
    wait_until(lambda: counters_file(worker) == wanted, "counters.json is up to date")
    outcomes = [value for key, value in wanted.items() if key[0] == "fleet_conversations_total"]
    assert sum(outcomes) == fleet.value(JUDGED)


def test_paused_fleet_claims_nothing_until_it_is_resumed(fleet, run, worker, model_server):
    """While paused the worker waits; after a wake-up it claims at once."""
    state = "SELECT fleet.set_fleet_state(%s, 'tests', 'why')"
    fleet.rows(state, "paused")
    fleet.submit()
    run()
    sessions = "SELECT query FROM pg_stat_activity WHERE usename = 'fleet_node_alpha'"
    wait_until(lambda: "has_open_failures" in str(fleet.rows(sessions)), "it has asked for work")
    assert model_server.requests == []

    fleet.rows(state, "running")
    worker.wake.set()

    wait_until(lambda: fleet.value(JUDGED) == 1, "the conversation is judged")


def test_throttled_worker_claims_nothing(fleet, worker, run, write_elsewhere):
    """At factor 0 the machine is left alone, while judging goes on."""
    runtime.write(worker.runtime_folder / "state.json", {"throttle_factor": 0})
    fleet.submit(count=2)
    write_elsewhere()

    run()

    wait_until(lambda: fleet.value(JUDGED) == 1, "the other node's conversation is judged")
    assert fleet.value("SELECT max(attempt) FROM fleet.tasks WHERE position = 2") == 0
    runtime.write(worker.runtime_folder / "state.json", {"throttle_factor": 1})
    worker.wake.set()
    wait_until(lambda: fleet.value(JUDGED) == 2, "the worker goes on")


def test_predecessors_tasks_are_returned_at_the_start(fleet, run):
    """What a dead worker of this node held is written by the new one, without waiting."""
    fleet.submit(min_turns=6, max_turns=6)
    dead = fleet.claim_one()
    dead.start().store()

    run()

    wait_until(lambda: fleet.rows("SELECT * FROM fleet.task_failures"), "given back")


def test_worker_goes_on_after_a_failed_call(fleet, run, worker, model_server):
    """With nothing else to write, a canary call shows that the server lives; the task is next."""
    model_server.plan.append(Answer("broken"))
    fleet.submit()

    run()

    wait_until(lambda: fleet.value(JUDGED) == 1, "the conversation is judged")
    assert "max_tokens" in model_server.requests[1], "no canary call"
    assert fleet.value("SELECT failures FROM analytics.tasks") == 1


def test_stop_in_the_middle_releases_the_task(fleet, run, worker, model_server):
    """Both loops end, the task is pending again with the turns that it has."""
    model_server.plan.append(Answer("hang", 2))
    fleet.submit()
    run()
    wait_until(lambda: fleet.value("SELECT count(*) FROM fleet.turns") == 2, "two turns are there")

    worker.end()

    wait_until(lambda: fleet.rows(STATES) == [{"state": "pending"}], "the task is given back", 4)
    assert fleet.value("SELECT turns_written FROM analytics.tasks") == 2
    assert fleet.rows("SELECT * FROM analytics.task_failures") == []


def test_missing_folder_does_not_end_the_worker(fleet, run, worker):
    """A counters file that cannot be written is logged; writing goes on."""
    folder = worker.runtime_folder
    worker.runtime_folder = folder / "later"
    fleet.submit(count=2)
    run()
    wait_until(lambda: "done" in str(fleet.rows(STATES)), "the first is written")

    worker.runtime_folder.mkdir()
    worker.wake.set()

    wait_until(lambda: fleet.rows(STATES) == [{"state": "done"}] * 2, "the second is written")


def test_conversation_that_cannot_be_judged_holds_up_nobody(fleet, run, write_elsewhere):
    """One that breaks the judge stays unjudged; those behind it get their verdicts."""
    fleet.submit(count=4)
    poison = write_elsewhere()
    fleet.rows("UPDATE fleet.conversations SET persona = '{}'")
    for _ in range(3):
        write_elsewhere()

    run()

    wait_until(lambda: fleet.value(JUDGED) == 3, "the other three are judged")
    unjudged = "SELECT conversation_id FROM fleet.conversations WHERE state = 'unjudged'"
    assert fleet.value(unjudged) == poison


def test_second_worker_of_a_node_is_kept_out(tmp_path):
    """The lock is held until the first ends, and the sentence names the file."""
    take_lock(tmp_path / "worker.lock", "worker")

    with pytest.raises(OrchestratorError, match=r"another worker .* holds .*worker\.lock"):
        take_lock(tmp_path / "worker.lock", "worker")


def test_drained_worker_finishes_what_it_writes(fleet, worker, beside, model_server):
    """In the middle of a conversation: that one is finished and judged, no other is begun."""
    fleet.submit(count=3)
    model_server.plan.append(Answer("late", 2))
    threads = [beside(worker.judge_all), beside(worker.write_everywhere)]
    wait_until(lambda: fleet.value("SELECT count(*) FROM fleet.turns") == 2, "two turns are there")

    worker.drain()
    model_server.go_on.set()

    wait_until(lambda: not any(thread.is_alive() for thread in threads), "the threads end")
    assert [row["state"] for row in fleet.rows(STATES)] == ["done", "pending", "pending"]
    assert fleet.value(JUDGED) == 1


def test_words_of_the_agent(worker):
    """A wake-up is a wake-up, drain begins nothing more, and the end of the words is the end."""
    worker.listen_to_agent(iter(["wake\n"]))
    assert worker.wake.is_set()
    assert worker.stop.is_set()


@pytest.fixture
def looked_after(worker):
    """A worker whose model server was looked at: two slots, its model in memory."""
    worker.server = SimpleNamespace(
        report=Report("llama_cpp", "ready", slots=2),
        is_out=False,
        memory=None,
        notes=Notes(),
        run=lambda *_: 0,
    )
    worker.server.describe = lambda: ServerHealth.describe(worker.server)
    return worker


def test_as_many_conversations_at_once_as_slots(fleet, looked_after, model_server):
    """Two of three tasks are written at the same time; the third waits for a slot."""
    model_server.always = Answer("hang", 2)
    fleet.submit(count=3)

    looked_after.start()

    running = "SELECT count(*) FROM analytics.tasks WHERE state = 'running'"
    wait_until(lambda: fleet.value(running) == 2, "two are written at once")
    wait_until(lambda: len(model_server.requests) == 2, "both are asked for")
    assert sorted(row["state"] for row in fleet.rows(STATES)) == ["pending", "running", "running"]
    looked_after.end()


def test_nothing_is_claimed_while_the_model_is_out(fleet, looked_after, run, model_server):
    """A call would bring the model back into the memory that a game needs."""
    looked_after.server.is_out = True
    fleet.submit()
    run()
    wait_until(looked_after.has_begun.is_set, "it has begun")

    looked_after.server.is_out = False
    looked_after.wake.set()

    wait_until(lambda: fleet.value(JUDGED) == 1, "it is written afterwards")
    assert fleet.value("SELECT max(attempt) FROM fleet.tasks") == 1


def test_news_of_the_model_server_reach_the_database(fleet, looked_after, run):
    """Reports and events are stored by the thread that judges; the page has the state."""
    report = looked_after.server.report
    looked_after.server.notes.add(lambda store: store.report_endpoint("tiny", report))
    looked_after.server.notes.tell_event("info", "model_unloaded", "tiny was unloaded")

    run()

    wait_until(lambda: fleet.rows("SELECT * FROM analytics.endpoints"), "the report is stored")
    row = fleet.rows("SELECT node, kind, model, state, slots FROM analytics.endpoints")[0]
    assert tuple(row.values()) == ("alpha", "llama_cpp", "tiny", "ready", 2)
    told = "SELECT count(*) FROM analytics.events WHERE kind = 'model_unloaded' AND node = 'alpha'"
    wait_until(lambda: fleet.value(told) == 1, "the event is told")
    wait_until(
        lambda: counters_file(looked_after).get(("fleet_llm_state", ("state", "ready"))) == 1,
        "the page has the state",
    )


def test_server_that_wants_time_gets_it(fleet, worker, store, model_server):
    """Retry-After holds back the next call, within five minutes."""
    model_server.always = Answer("busy")
    fleet.submit()

    worker.generate_one(store)

    assert 200 < worker.not_before - time.monotonic() <= 300


def test_method_holds_from_the_next_conversation(fleet, attempt, worker, model_server):
    """One conversation is asked for a call a turn, the next one in one call."""
    fleet.submit(count=2)
    worker.endpoint.known.continuation = "continues"
    calls = []
    for method in ("line_by_line", "one_shot"):
        fleet.set("generation_method", method)
        before = len(model_server.requests)
        attempt()
        calls.append(len(model_server.requests) - before)

    assert calls[0] > 1
    assert calls[1] == 1


def test_settings_hold_from_the_next_conversation(fleet, attempt, model_server):
    """Temperature and longest answer of each call are those in force when its task was taken."""
    fleet.submit(count=2)
    asked = []
    for temperature, tokens in ((0.3, 900), (1.1, 1200)):
        fleet.set("temperature", temperature, "node:alpha")
        fleet.set("conversation_tokens_max", tokens)
        attempt()
        asked.append([model_server.requests[-1][name] for name in ("temperature", "max_tokens")])

    assert asked == [[0.3, 900], [1.1, 1200]]


@pytest.mark.parametrize(
    ("method", "continuation", "used"),
    [
        ("auto", "continues", "line_by_line"),
        ("auto", "starts_over", "one_shot"),
        ("one_shot", "continues", "one_shot"),
        ("line_by_line", "starts_over", "line_by_line"),
    ],
)
def test_method_is_a_setting(method, continuation, used):
    """A conversation is begun as the setting says, or with auto as the server can."""
    assert decide_method(method, can_continue=continuation == "continues") == used


def test_scenario_of_another_version_is_given_back_at_once(fleet, attempt):
    """A definition that this worker cannot read is nobody's task here: released, not held."""
    fleet.submit("complaint")
    put = "UPDATE fleet.scenarios SET definition = %s WHERE scenario = 'complaint'"
    before = fleet.value("SELECT definition FROM fleet.scenarios WHERE scenario = 'complaint'")
    fleet.rows(put, Jsonb({"people": []}))
    try:
        assert attempt() == "internal_error"
    finally:
        fleet.rows(put, Jsonb(before))

    assert fleet.value("SELECT state FROM analytics.tasks") == "pending"
