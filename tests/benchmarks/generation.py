"""
Compare the ways to write conversations: what is kept, and what a kept one costs.

By hand: `.venv/bin/python tests/benchmarks/generation.py`. README.md says what is measured and how.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import database
from contenders import find_port, wait_for
from fleet_orchestrator.generation import catalogue
from fleet_orchestrator.judging import judge_batch
from fleet_orchestrator.model_server.endpoint import Endpoint, connect
from fleet_orchestrator.store import Store
from fleet_orchestrator.worker import Worker, read_limits
from fleet_stack.parts.models import find_model
from fleet_timescale.connection import connect as connect_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_timescale.connection import Connection

NODE = "bench"
HEADER = (
    "| way | tokens a conversation | seconds a conversation | accepted | turns refused"
    " | tokens per accepted one | seconds per accepted one |"
)
TABLE = """
SELECT judged, accepted, tries,
  tokens / nullif(judged, 0) AS tokens, seconds / nullif(judged, 0) AS seconds,
  tokens / nullif(accepted, 0) AS kept_tokens, seconds / nullif(accepted, 0) AS kept_seconds
FROM (
  SELECT count(*) AS judged, count(*) FILTER (WHERE state = 'accepted') AS accepted,
    sum(tries) AS tries, sum(completion_tokens)::float8 AS tokens,
    sum(generation_seconds) AS seconds
  FROM analytics.conversations WHERE job_id = %s
) all_of_them
"""
REASONS = """
SELECT r.reason, count(*) AS n
FROM analytics.rejections r JOIN analytics.conversations c USING (conversation_id)
WHERE c.job_id = %s GROUP BY r.reason ORDER BY n DESC, r.reason
"""
TRIES = """
SELECT y.reason, count(*) AS n FROM analytics.turn_tries y JOIN analytics.tasks t USING (task_id)
WHERE t.job_id = %s GROUP BY y.reason ORDER BY n DESC, y.reason
"""
TURNS = """
SELECT c.conversation_id, c.scenario, c.state, c.tries, r.reason, r.evidence, u.speaker, u.text
FROM analytics.conversations c LEFT JOIN analytics.rejections r USING (conversation_id)
  LEFT JOIN fleet.turns u ON u.task_id = c.task_id
WHERE c.job_id = %s ORDER BY c.created_at, u.position
"""


@dataclass(frozen=True)
class Way:
    """One line of the table."""

    title: str
    continues: bool
    is_checked: bool


WAYS = (
    Way("one_shot", continues=False, is_checked=False),
    Way("one_shot, turns checked", continues=False, is_checked=True),
    Way("line_by_line", continues=True, is_checked=False),
    Way("line_by_line, turns checked", continues=True, is_checked=True),
)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument(
        "url", nargs="?", help="of a model server, ends in /v1; else one is started"
    )
    parser.add_argument("--model", default="local", help="to ask that server for")
    parser.add_argument("--conversations", type=int, default=40, help="of each way")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--ways", default="0123", help="lines of the table, from 0")
    parser.add_argument("--samples", type=Path, help="folder for the conversations as text")
    return parser.parse_args()


@contextmanager
def run_model_server() -> Iterator[tuple[str, str]]:
    """Run the default model as the launcher does; yield the URL and the model's name."""
    model = find_model(os.environ, say)
    if model.url or model.path is None:
        yield str(model.url), model.name
        return
    port = find_port()
    command = [sys.executable, "-m", "fleet_stack.servers.llm", str(model.path), str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}/v1", model.name
        finally:
            server.terminate()


def order(owner: Connection, way: Way, arguments: argparse.Namespace) -> uuid.UUID:
    """Order the same conversations for each way; each job waits until it is this way's turn."""
    job: uuid.UUID = one(
        owner,
        "SELECT fleet.submit_job('mixed', %s, %s, %s, %s) AS it",
        arguments.conversations, way.title, arguments.turns, arguments.turns,
    )  # fmt: skip
    owner.execute("UPDATE fleet.jobs SET seed = %s WHERE job_id = %s", [arguments.seed, job])
    owner.execute("SELECT fleet.split_jobs()")
    owner.execute("UPDATE fleet.jobs SET is_paused = true WHERE job_id = %s", [job])
    return job


def one(connection: Connection, sql: str, *params: Any) -> Any:
    """Return the only value of the only row."""
    (row,) = connection.execute(sql, params).fetchall()
    (value,) = row.values()
    return value


def write_one(owner: Connection, worker: Worker, store: Store, job: uuid.UUID, way: Way) -> str:
    """Write the job's next conversation to its end, and judge it; return how it ended."""
    owner.execute("UPDATE fleet.jobs SET is_paused = (job_id <> %s)", [job])
    limits = read_limits(store)
    if not way.is_checked:
        limits = replace(limits, turn_tries_max=0)
    worker.endpoint.known.continuation = "continues" if way.continues else "starts_over"
    started = time.monotonic()
    while True:  # what a server or an answer broke is tried again, as in a fleet
        task = store.claim()
        if task is None:
            store.decide_failures(can_write=True)  # else it waits for another node's word
            continue
        worker.write(store, task, limits, worker.endpoint)
        state = one(owner, "SELECT state FROM analytics.tasks WHERE task_id = %s", task.task_id)
        if state != "pending":
            break
    judge_batch(store)
    (end,) = owner.execute(
        "SELECT t.scenario, coalesce(r.reason, c.state, t.state) AS came, c.tries"
        " FROM analytics.tasks t LEFT JOIN analytics.conversations c USING (task_id)"
        " LEFT JOIN analytics.rejections r USING (conversation_id) WHERE t.task_id = %s",
        [task.task_id],
    ).fetchall()
    seconds = time.monotonic() - started
    return f"{end['scenario']}: {end['came']}, {end['tries']} tries, {seconds:.0f} s"


def run(arguments: argparse.Namespace, endpoint: Endpoint, port: int, folder: Path) -> str:
    """Write all conversations, the ways in turn; return the table."""
    dsn = database.prepare(port, [NODE])[NODE]
    worker_id = uuid.uuid4()
    worker = Worker(lambda: Store(lambda: connect_database(dsn, "benchmark"), worker_id),
                    endpoint, folder)  # fmt: skip
    ways = [WAYS[int(number)] for number in arguments.ways]
    owner_dsn = database.render_dsn(port, database.OWNER)
    with connect_database(owner_dsn, "benchmark") as owner:
        catalogue.load(owner)
        jobs = {way: order(owner, way, arguments) for way in ways}
        store = worker.store()
        try:
            for number in range(arguments.conversations):
                first = number % len(ways)
                for way in ways[first:] + ways[:first]:
                    told = write_one(owner, worker, store, jobs[way], way)
                    say(f"{number + 1}/{arguments.conversations} {way.title}: {told}")
                    if arguments.samples:
                        write_samples(owner, jobs[way], arguments.samples / f"{way.title}.txt")
        except KeyboardInterrupt:
            say("Stopped early; this is what there is:")
        store.close()
        return render(owner, jobs)


def render(owner: Connection, jobs: dict[Way, uuid.UUID]) -> str:
    """Return the table, and below it why conversations and turns were refused."""
    lines = [HEADER, "|---|---|---|---|---|---|---|"]
    notes, base = [], None
    for way, job in jobs.items():
        (row,) = owner.execute(TABLE, [job]).fetchall()
        base = base or row
        lines.append(
            f"| {way.title} | {show(row['tokens'])} | {show(row['seconds'])}"
            f" | {row['accepted']} of {row['judged']} | {row['tries'] or 0}"
            f" | {show(row['kept_tokens'])}{ratio(row, base, 'kept_tokens')}"
            f" | {show(row['kept_seconds'])}{ratio(row, base, 'kept_seconds')} |"
        )
        rejected = ", ".join(f"{r['reason']} {r['n']}" for r in owner.execute(REASONS, [job]))
        refused = ", ".join(f"{r['reason']} {r['n']}" for r in owner.execute(TRIES, [job]))
        notes.append(f"{way.title}: rejected for {rejected or 'nothing'}; "
                     f"turns refused for {refused or 'nothing'}")  # fmt: skip
    return "\n".join([*lines, "", *notes])


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def show(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def ratio(row: dict[str, Any], base: dict[str, Any], key: str) -> str:
    """Return how a figure stands to that of the first way."""
    return f" ({row[key] / base[key]:.2f}x)" if row[key] and base[key] else ""


def write_samples(owner: Connection, job: uuid.UUID, path: Path) -> None:
    """Write a way's conversations as text, for people to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines, seen = [], None
    for row in owner.execute(TURNS, [job]):
        if row["conversation_id"] != seen:
            seen = row["conversation_id"]
            why = f" ({row['reason']}: {row['evidence']})" if row["reason"] else ""
            lines.append(f"\n== {row['scenario']}, {row['state']}, {row['tries']} tries{why}")
        lines.append(f"{row['speaker']}: {row['text']}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def stop(*_: object) -> None:
    """End early, with the table of what there is."""
    raise KeyboardInterrupt


def main() -> int:
    """Run the benchmark; it fails nothing."""
    arguments = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-benchmark-")))
        url, model = arguments.url, arguments.model
        if url is None:
            url, model = stack.enter_context(run_model_server())
        port = stack.enter_context(database.run_postgres(folder))
        endpoint = connect(url, model)
        stack.callback(endpoint.client.close)
        say(run(arguments, endpoint, port, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
