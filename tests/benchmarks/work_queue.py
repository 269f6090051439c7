"""
Compare the queue with a lease-less DELETE … SKIP LOCKED, and with procrastinate where it is.

What each contender does for one job, and how often it commits:

- DELETE … SKIP LOCKED: take a job by removing it; nothing leased, kept or told. 1 commit. All
  ratios are to this one.
- claim, complete: lease a task, fenced; then pending -> claimed -> running -> done with counts and
  a row for each transition. No turn, no conversation: the job does nothing. 2 commits.
- complete + claim: the same in one statement, which completes the last task and claims the next.
  1 commit, as the DELETE; the worker does not work so, for it writes for seconds in between.
- complete + claim of 10: the same with ten tasks in each statement.
- claim, start, finish: the task's turn, which is there, becomes a stored conversation. 3 commits.
- whole worker: all statements of a worker for one conversation without turns of its own: settings,
  claim, prompt, start, finish, counters. 3 commits.
- whole worker, 8 turns: with each of eight calls to a model server stored and counted, and the turn
  that it wrote. 19 commits.
- procrastinate: tasks that do nothing, by its own worker, so many at once.

Run by hand (README.md); it fails nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import database
from filled import QUEUE, Amount, fill, say
from fleet_orchestrator.rounds import STEPS
from fleet_timescale.connection import connect
from rotations import percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.synchronize import Barrier

    from fleet_timescale.connection import Connection

NODES = [f"worker{number}" for number in range(1, 5)]
GRANTS = Path(__file__).parents[2] / "timescale/functions/095_database.sql"
PROCRASTINATE = "procrastinate==3.10.0"
FLOOR = """
DELETE FROM job WHERE id = (SELECT id FROM job WHERE state = 0 ORDER BY priority DESC, id LIMIT 1
  FOR UPDATE SKIP LOCKED) RETURNING payload"""
CLAIM = "SELECT task_id, attempt FROM fleet.claim_tasks(%s, %s)"
START = "SELECT fleet.start_task(%s, %s, %s, 1, '{}')"
TURN = "SELECT fleet.store_turn(%s, %s, %s, %s, 'agent', 'How may I help you?')"
CALL = "SELECT fleet.record_llm_request(%s, %s, 'tiny', 250, 40, 1.5, 0.2, 'ok', 200)"
FINISH = "SELECT fleet.finish_task(%s, %s, %s, 'tiny')"
# The second half of fleet.finish_task, without its conversation; fenced by start_task.
COMPLETE = """
SELECT count(fleet.complete_task(t.task_id)) AS done
FROM unnest(%s::uuid[], %s::integer[]) AS t(task_id, attempt),
  LATERAL fleet.start_task(t.task_id, %s, t.attempt, 1, '{}')"""
COMPLETE_AND_CLAIM = f"""
SELECT c.task_id, c.attempt
FROM ({COMPLETE}) AS completed, LATERAL fleet.claim_tasks(%s, %s + 0 * completed.done::integer) c"""
MAY_COMPLETE = "GRANT EXECUTE ON FUNCTION fleet.complete_task(uuid) TO fleet_worker"
FLOOR_TABLE = """
DROP TABLE IF EXISTS job;
CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state smallint NOT NULL
  DEFAULT 0, priority smallint NOT NULL DEFAULT 0, payload jsonb NOT NULL);
CREATE INDEX ON job (priority DESC, id) WHERE state = 0;
INSERT INTO job (payload) SELECT jsonb_build_object('i', n) FROM generate_series(1, 60000) n;
GRANT ALL ON job TO PUBLIC; GRANT USAGE ON SCHEMA public TO PUBLIC;
"""
ASYNC_WORKER = """
import asyncio, sys, time, procrastinate, psycopg
dsn, concurrency = sys.argv[1], int(sys.argv[2])
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn, max_size=20))
ends = []
@app.task(name="nothing")
async def nothing(number):
    ends.append(time.perf_counter())
async def main():
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("DROP SCHEMA public CASCADE")
        await connection.execute("CREATE SCHEMA public")
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await nothing.batch_defer_async(*[{"number": n} for n in range(1000)])
        since = time.perf_counter()
        await app.run_worker_async(
            concurrency=concurrency, wait=False, install_signal_handlers=False)
        print(len(ends) / (ends[-1] - since))
asyncio.run(main())
"""


@dataclass(frozen=True)
class Worked:
    """Jobs a second of all workers together, and how long claim and finish took one job."""

    rate: float
    latencies: list[float]


@dataclass(frozen=True)
class Contender:
    """A way to work off a queue: what a worker does in one round, and in which database."""

    title: str
    database: str
    step: Callable[[Connection, uuid.UUID], list[float]]


def delete_one(connection: Connection, _: uuid.UUID) -> list[float]:
    """Take a job by removing it: no lease, nothing kept."""
    since = time.perf_counter()
    connection.execute(FLOOR).fetchall()
    return [time.perf_counter() - since]


def claim_and_complete(connection: Connection, worker: uuid.UUID) -> list[float]:
    """Claim a task, then complete it."""
    since = time.perf_counter()
    tasks = connection.execute(CLAIM, [worker, 1]).fetchall()
    connection.execute(COMPLETE, _hold(tasks, worker)).fetchall()
    return [time.perf_counter() - since] * len(tasks)


class Chain:
    """Completes what it claimed last and claims anew, in one statement."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.held: list[dict[str, Any]] = []

    def __call__(self, connection: Connection, worker: uuid.UUID) -> list[float]:
        since = time.perf_counter()
        asked = [*_hold(self.held, worker), worker, self.batch]
        self.held = connection.execute(COMPLETE_AND_CLAIM, asked).fetchall()
        taken = time.perf_counter() - since
        return [taken / max(len(self.held), 1)] * len(self.held)


def _hold(tasks: list[dict[str, Any]], worker: uuid.UUID) -> list[Any]:
    return [[task["task_id"] for task in tasks], [task["attempt"] for task in tasks], worker]


def write_one(connection: Connection, worker: uuid.UUID) -> list[float]:
    """Claim, start and finish one task."""
    since = time.perf_counter()
    task = connection.execute(CLAIM, [worker, 1]).fetchall()[0]
    held = [task["task_id"], worker, task["attempt"]]
    connection.execute(START, held)
    connection.execute(FINISH, held)
    return [time.perf_counter() - since]


def work_one(connection: Connection, worker: uuid.UUID, turns: int = 0) -> list[float]:
    """Do all that a worker does in the database for one conversation; time claim and finish."""
    connection.execute("SELECT * FROM fleet.node_settings()").fetchall()
    since = time.perf_counter()
    task = connection.execute(CLAIM, [worker, 1]).fetchall()[0]
    claimed = time.perf_counter() - since
    held = [task["task_id"], worker, task["attempt"]]
    connection.execute("SELECT * FROM fleet.prompts WHERE method = 'one_shot'").fetchall()
    connection.execute(START, held)
    for position in range(1, turns + 1):
        connection.execute(TURN, [*held, 1 + position])
        connection.execute(CALL, [uuid.uuid4(), task["task_id"]])
    since = time.perf_counter()
    connection.execute(FINISH, held)
    finished = time.perf_counter() - since
    connection.execute("SELECT * FROM fleet.read_counters()").fetchall()
    return [claimed + finished]


def work_turns(connection: Connection, worker: uuid.UUID) -> list[float]:
    """Do the same for a conversation of eight turns."""
    return work_one(connection, worker, 8)


CONTENDERS = (
    Contender("DELETE … SKIP LOCKED", "floor", delete_one),
    Contender("claim, complete: empty", "empty", claim_and_complete),
    Contender("claim, complete: full", "fleet", claim_and_complete),
    Contender("complete + claim: empty", "empty", Chain(1)),
    Contender("complete + claim: full", "fleet", Chain(1)),
    Contender("complete + claim of 10: full", "fleet", Chain(10)),
    Contender("claim, start, finish: empty", "empty", write_one),
    Contender("claim, start, finish: full", "fleet", write_one),
    Contender("whole worker: full", "fleet", work_one),
    Contender("whole worker, 8 turns: full", "fleet", work_turns),
)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--finished", type=int, default=1_000_000, help="tasks behind those")
    parser.add_argument("--waiting", type=int, default=500_000, help="tasks, in 50 jobs")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--rotations", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each contender")
    parser.add_argument("--procrastinate", type=Path, help=f"folder with {PROCRASTINATE}")
    return parser.parse_args()


def prepare(port: int, arguments: argparse.Namespace) -> None:
    """Make the three databases: full, empty but for what is claimed, and the one of the floor."""
    database.prepare(port, NODES)
    with connect(database.render_dsn(port, database.OWNER, "postgres"), "benchmark") as owner:
        owner.execute("CREATE DATABASE empty TEMPLATE fleet")
        owner.execute("CREATE DATABASE floor")
    for name, written, waiting in (
        ("fleet", arguments.finished, arguments.waiting),
        ("empty", 0, 50_000),
    ):
        with connect(database.render_dsn(port, database.OWNER, name), "benchmark") as owner:
            owner.execute(GRANTS.read_bytes())
            owner.execute(MAY_COMPLETE)
            fill(owner, QUEUE, Amount(written=written, waiting=waiting))


@contextmanager
def run_upkeep(port: int, name: str) -> Iterator[None]:
    """Do each second what the leading master does."""
    stop = threading.Event()

    def tick() -> None:
        with connect(database.render_dsn(port, database.OWNER, name), "benchmark") as owner:
            while not stop.wait(1):
                for step in (*(step.name for step in STEPS), "fold_counts"):
                    owner.execute(f"SELECT fleet.{step}()".encode())

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def work(dsn: str, at: int, seconds: float, barrier: Barrier, done: Any) -> None:
    """One worker process: rounds of one contender until the time is over."""
    step, worker, taken = CONTENDERS[at].step, uuid.uuid4(), []
    with connect(dsn, "benchmark") as connection:
        connection.prepare_threshold = 1
        barrier.wait(30)
        since = time.perf_counter()
        while time.perf_counter() - since < seconds:
            taken += step(connection, worker)
        done.put((len(taken) / (time.perf_counter() - since), taken))


def measure(port: int, at: int, workers: int, seconds: float) -> Worked:
    """Run one contender with so many workers at once."""
    contender, spawn = CONTENDERS[at], multiprocessing.get_context("spawn")
    done, barrier = spawn.Queue(), spawn.Barrier(workers)
    with ExitStack() as stack:
        if contender.database == "floor":
            floor = database.render_dsn(port, database.OWNER, "floor")
            stack.enter_context(connect(floor, "benchmark")).execute(FLOOR_TABLE)
        else:
            stack.enter_context(run_upkeep(port, contender.database))
        processes = [
            spawn.Process(
                target=work,
                args=(
                    database.render_dsn(port, f"fleet_node_{node}", contender.database)
                    if contender.database != "floor"
                    else floor,
                    at, seconds, barrier, done,
                ),
            )
            for node in NODES[:workers]
        ]  # fmt: skip
        for process in processes:
            process.start()
        results = [done.get(timeout=60) for _ in processes]
        for process in processes:
            process.join()
    return Worked(
        sum(rate for rate, _ in results), [each for _, taken in results for each in taken]
    )


def measure_procrastinate(port: int, workers: int, folder: Path) -> Worked:
    """Run procrastinate in a process of its own, with so many tasks at once."""
    dsn = database.render_dsn(port, database.OWNER, "floor")
    command = [sys.executable, "-c", ASYNC_WORKER, dsn, str(workers)]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return Worked(float(told.stdout), [])


def render(results: dict[tuple[int, str], list[Worked]]) -> str:
    """Return the table: medians over the rotations, ratios within each of them."""
    lines = ["| workers | contender | jobs/s | x floor | p50, ms | p99, ms |", f"|{'---|' * 6}"]
    for (workers, title), rotations in results.items():
        floor = results[workers, CONTENDERS[0].title]
        ratio = statistics.median(a.rate / b.rate for a, b in zip(rotations, floor, strict=True))
        taken = [seconds * 1000 for each in rotations for seconds in each.latencies]
        times = f"{percentile(taken, 50):.1f} | {percentile(taken, 99):.1f}" if taken else " | "
        rate = statistics.median(each.rate for each in rotations)
        lines.append(f"| {workers} | {title} | {rate:.0f} | {ratio:.2f} | {times} |")
    return "\n".join(lines)


def run(port: int, arguments: argparse.Namespace) -> str:
    """Measure all contenders, rotation after rotation."""
    prepare(port, arguments)
    results: dict[tuple[int, str], list[Worked]] = {}
    for rotation in range(arguments.rotations):
        for workers in arguments.workers:
            for at, contender in enumerate(CONTENDERS):
                worked = measure(port, at, workers, arguments.seconds)
                results.setdefault((workers, contender.title), []).append(worked)
                say(f"{rotation + 1}: {contender.title}, {workers} workers: {worked.rate:.0f}/s")
            if arguments.procrastinate:
                worked = measure_procrastinate(port, workers, arguments.procrastinate)
                results.setdefault((workers, PROCRASTINATE), []).append(worked)
    return render(results)


def main() -> None:
    """Run the benchmark."""
    arguments = parse_arguments()
    if not arguments.procrastinate:
        say(
            f"Without procrastinate: `pip install --target FOLDER {PROCRASTINATE}`, and "
            "--procrastinate FOLDER."
        )
    with (
        tempfile.TemporaryDirectory(prefix="fleet-benchmark-") as folder,
        database.run_postgres(Path(folder)) as port,
    ):
        sys.stdout.write(run(port, arguments) + "\n")


if __name__ == "__main__":
    main()
