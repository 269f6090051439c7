"""
From nothing to clean data and back: one home, the real programs, the real model.

The tests build on each other in the order in which they stand. The model takes half a minute of a
core for a conversation, so that tests which wait for something else do so while it writes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import zipfile
from importlib import resources
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from jsonschema import Draft202012Validator

pytestmark = pytest.mark.acceptance
CONVERSATIONS = 2  # in each of two jobs: one more is half a minute more
GENERATION = 600  # seconds; a small machine writes a conversation in 10 to 40, a busy one in 120
BACK = 30  # seconds; ours come back within 5, a busy machine may need more
ORDERS_MORE = 5  # of two conversations each
OURS = ("exporter", "node", "worker", "master", "control-api")
TOKENS = "SELECT sum(completion_tokens) FROM analytics.llm_requests"
LOST_OR_DOUBLED = """
SELECT count(*) FROM analytics.tasks t
WHERE (SELECT count(*) FROM fleet.conversations c WHERE c.task_id = t.task_id)
   <> (CASE WHEN t.state = 'done' THEN 1 ELSE 0 END)"""


def tokens_of_server(fleet) -> float:
    text = requests.get(fleet.services()["llm"]["url"].removesuffix("/v1") + "/metrics", timeout=5)
    return float(re.search(r"^llamacpp:tokens_predicted_total (\S+)", text.text, re.MULTILINE)[1])


def count_kills_told(fleet, pid) -> float:
    return fleet.number(
        "SELECT count(*) FROM analytics.events WHERE kind = 'program_ended' AND message LIKE %s",
        f"% (process {pid}) was killed by SIGKILL after %",
    )


def workers_of(fleet) -> list[int]:
    commands = fleet.processes()
    return [pid for pid, command in commands.items() if "fleet_orchestrator.worker" in command]


def test_up_brings_everything_up(fleet):
    """`up` exits 0 and every part but Grafana, which may be absent, is up."""
    fleet.run("up", "--no-first-job")

    states = {name: part["state"] for name, part in fleet.services().items()}
    assert states.pop("grafana") in {"up", "absent"}
    assert set(states.values()) == {"up"}, states


@pytest.fixture(scope="module")
def tokens_before(fleet):
    return tokens_of_server(fleet)


@pytest.fixture(scope="module")
def first_job(fleet, tokens_before):
    return fleet.submit("mixed", CONVERSATIONS)


def test_frozen_exporter_sends_a_mail_and_a_resolved_one(fleet, first_job):
    """An exporter that does not answer causes a mail with a runbook link; its return another."""
    pid = fleet.pid("exporter")
    os.kill(pid, signal.SIGSTOP)
    try:
        mails = fleet.wait_for("the mail", lambda: fleet.mails("ExporterSilent", "FIRING"), 90)
        assert "runbooks/ExporterSilent" in mails[0]
    finally:
        os.kill(pid, signal.SIGCONT)
    fleet.wait_for("the resolved mail", lambda: fleet.mails("ExporterSilent", "RESOLVED"), 120)


def test_model_writes_conversations(fleet, first_job, tokens_before):
    """A job ends with a verdict on each conversation, no two texts are equal, tokens are right."""
    fleet.wait_for("the job's end", lambda: fleet.finished(first_job), GENERATION)

    texts = fleet.sql(
        "SELECT string_agg(text, ' ' ORDER BY position) AS text FROM analytics.turns "
        "GROUP BY conversation_id"
    )
    assert len({row["text"] for row in texts}) == CONVERSATIONS
    written = tokens_of_server(fleet) - tokens_before
    counted, calls = (
        fleet.number(TOKENS),
        fleet.number("SELECT count(*) FROM analytics.llm_requests"),
    )
    # A turn is left at its closing quote; the server has the next few tokens under way then.
    assert counted <= written <= counted + 4 * calls


def test_model_server_continues_a_begun_answer(fleet):
    """llama.cpp was asked before the first conversation; the node page and the doctor tell it."""
    (node,) = fleet.sql("SELECT continuation FROM analytics.nodes")
    assert node["continuation"] == "continues"
    assert "continues a begun answer" in fleet.run("doctor", check=False).stdout


def test_prometheus_counts_what_sql_counts(fleet):
    """The judged conversations and the tokens in Prometheus are those of the database."""
    pairs = {
        "sum(fleet_conversations_total)": "SELECT count(*) FROM analytics.conversations",
        'sum(fleet_llm_tokens_total{kind="completion"})': TOKENS,
    }
    for query, statement in pairs.items():
        fleet.wait_for(
            query,
            lambda q=query, s=statement: fleet.prometheus(q) == fleet.number(s),
            20,
        )


@pytest.fixture(scope="module")
def job_under_fire(fleet):
    """A job, ordered in a pause, that goes on while the tests below kill what writes it."""
    assert fleet.api("POST", "/fleet/pause").status_code // 100 == 2
    return fleet.submit("mixed", CONVERSATIONS)


def test_pause_stops_claims_and_resume_goes_on(fleet, job_under_fire):
    """While the fleet is paused no task is claimed; after resume one is."""
    query = "SELECT count(*) FROM analytics.tasks WHERE job_id = %s AND state = 'pending'"
    claims = "SELECT sum(attempt) FROM analytics.tasks WHERE job_id = %s"
    fleet.wait_for(
        "the waiting tasks", lambda: fleet.number(query, job_under_fire) == CONVERSATIONS, 20
    )
    fleet.wait_for("fleet_paused", lambda: fleet.prometheus("fleet_paused") == 1, 20)
    assert fleet.number(claims, job_under_fire) == 0

    fleet.run("resume")

    fleet.wait_for("a claim", lambda: fleet.number(claims, job_under_fire) > 0, 20)
    actions = fleet.sql(
        "SELECT action, outcome FROM analytics.audit ORDER BY audit_id DESC LIMIT 3"
    )
    assert {"done"} == {row["outcome"] for row in actions}


@pytest.fixture
def game(fleet, tmp_path):
    """A program that its owner calls a game; it runs until the test ends it."""
    program = tmp_path / fleet.environ["FLEET_GAME_EXECUTABLES"]
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "300"]) as process:
        yield process
        process.kill()


def test_game_gets_the_memory(fleet, job_under_fire, game):
    """The model leaves the memory within seconds, and that is told; it is back further below."""
    pid = fleet.pid("llm")
    told = "SELECT count(*) FROM analytics.events WHERE kind = %s"
    fleet.wait_for("the free memory", lambda: fleet.number(told, "model_unloaded") == 1, 30)
    assert psutil.Process(pid).memory_info().rss < 100e6
    fleet.wait_for("gaming", lambda: fleet.prometheus('fleet_activity_mode{mode="gaming"}'), 30)


@pytest.fixture(scope="module")
def killed():
    """The process ids of the programs that the tests below have killed."""
    return []


@pytest.mark.parametrize("program", [*OURS, "postgres"])
def test_killed_program_comes_back(fleet, job_under_fire, killed, program):
    """kill -9 of a program: it is up again, under another pid, with one worker, and it is told."""
    before = fleet.pid(program)
    os.kill(before, signal.SIGKILL)
    killed.append(before)

    def is_back() -> bool:
        part = fleet.services()[program]
        return part["state"] == "up" and part["pid"] != before

    fleet.wait_for(f"{program} to come back", is_back, BACK)
    fleet.wait_for("one worker", lambda: len(workers_of(fleet)) == 1, BACK)
    assert fleet.number(LOST_OR_DOUBLED) == 0
    fleet.wait_for("the event", lambda: count_kills_told(fleet, before), BACK)


def test_killed_supervisor_is_told_and_mended(fleet, job_under_fire):
    """kill -9 of supervisord: `status` says so, `up` mends it, and there is one worker."""
    (supervisor,) = [pid for pid, command in fleet.processes().items() if "supervisord" in command]
    os.kill(supervisor, signal.SIGKILL)

    told = fleet.run("status", check=False)
    assert told.returncode != 0
    assert "supervisor" in told.stdout + told.stderr

    fleet.run("up")
    fleet.wait_for("one worker", lambda: len(workers_of(fleet)) == 1, BACK)


def test_model_is_back_after_the_game(fleet, job_under_fire):
    """Two minutes after the last sign of a game the worker brings the model back."""
    told = "SELECT count(*) FROM analytics.events WHERE kind = 'model_loaded'"
    fleet.wait_for("the model", lambda: fleet.number(told) >= 1, 240)
    assert psutil.Process(fleet.pid("llm")).memory_info().rss > 100e6


def test_each_kill_is_told_once(fleet, killed):
    """Every killed program, and the supervisor, is one event, also after all the restarts."""
    supervisor = "SELECT count(*) FROM analytics.events WHERE message ~ '^The supervisor .* lost'"
    fleet.wait_for("the supervisor's event", lambda: fleet.number(supervisor), BACK)

    assert {pid: count_kills_told(fleet, pid) for pid in killed} == dict.fromkeys(killed, 1)
    assert fleet.number(supervisor) == 1
    away = "SELECT count(DISTINCT message) FROM analytics.events WHERE kind = 'database_away'"
    assert fleet.number(away) >= 1  # postgres was among them


def test_nothing_is_lost_or_doubled(fleet, job_under_fire):
    """After all the kills the job ends with one conversation for each of its tasks."""
    fleet.wait_for("the job's end", lambda: fleet.finished(job_under_fire), GENERATION)

    written = "SELECT count(*) FROM analytics.conversations WHERE job_id = %s"
    assert fleet.number(written, job_under_fire) == CONVERSATIONS
    assert fleet.number(LOST_OR_DOUBLED) == 0


def test_prometheus_still_counts_what_sql_counts(fleet):
    """After all the kills no restart was a reset."""
    statement = "SELECT count(*) FROM analytics.conversations"
    fleet.wait_for(
        "equal counts",
        lambda: fleet.prometheus("sum(fleet_conversations_total)") == fleet.number(statement),
        30,
    )


def test_export_is_valid(fleet, tmp_path):
    """Every accepted conversation is in the export, in the form that Lex takes."""
    accepted = "SELECT count(*) FROM analytics.conversations WHERE state = 'accepted'"
    # A small model has bad days: order more until there is something to export.
    for _ in range(ORDERS_MORE):
        if fleet.number(accepted):
            break
        job = fleet.submit("insurance_denial", 2)
        fleet.wait_for("the job's end", lambda j=job: fleet.finished(j), GENERATION)
    out = tmp_path / "x.zip"
    fleet.run("export", "lex", "--out", str(out))

    schemas = resources.files("fleet_control_api") / "exports" / "schemas"
    schema = json.loads((schemas / "lex_input.json").read_text())
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        members = [name for name in archive.namelist() if name != "manifest.json"]
        for name in members:
            Draft202012Validator(schema).validate(json.loads(archive.read(name)))
    assert 0 < len(members) == fleet.number(accepted)


def test_second_home_is_a_node_of_the_first(fleet, second_node):
    """It joins by a code, writes a conversation, obeys, and is sent away; the first goes on."""
    (first,) = fleet.sql("SELECT node FROM analytics.nodes")
    code = json.loads(fleet.run("nodes", "invite", "--json").stdout)["code"]
    second_node.run("node", "join", fleet.exports["FLEET_CONTROL_URL"], code)
    states = {name: part["state"] for name, part in second_node.services().items()}
    assert {states[name] for name in ("exporter", "node", "worker")} == {"up"}
    node = second_node.exports["FLEET_NODE"]
    fleet.wait_for("the target", lambda: fleet.prometheus(f'up{{node="{node}"}}') == 1, 30)

    fleet.run("nodes", "stop", first["node"])
    job = fleet.submit("order_status", 1)
    fleet.wait_for("the job's end", lambda: fleet.finished(job), GENERATION)
    written = "SELECT count(*) FROM analytics.conversations WHERE job_id = %s AND node = %s"
    assert fleet.number(written, job, node) == 1

    second_node.run("down")
    second_node.run("up")
    fleet.run("nodes", "start", first["node"])
    fleet.run("nodes", "remove", node)
    told = second_node.run("status", check=False)
    assert (told.returncode, "was removed from the fleet" in told.stdout) == (1, True)
    second_node.run("down", "--purge")
    assert second_node.processes() == {}
    assert fleet.run("status").returncode == 0


def test_purge_of_another_home_leaves_this_one(fleet, other_home):
    """Two homes run side by side; purging one removes its state and nothing of the other's."""
    other_home.run("up", "--no-first-job")
    states = {part["state"] for part in other_home.services().values()}
    assert states <= {"up", "absent", "external"}

    other_home.run("down", "--purge")

    assert not other_home.home.exists()
    assert other_home.processes() == {}
    assert fleet.run("status").returncode == 0
    assert fleet.api("GET", "/healthz").status_code == 200


def test_down_leaves_nothing(fleet):
    """After `down` no process of the home runs and no port of it answers."""
    ports = [urlsplit(part["url"]).port for part in fleet.services().values() if part.get("url")]
    assert ports

    fleet.run("down")

    assert fleet.processes() == {}
    for port in filter(None, ports):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
