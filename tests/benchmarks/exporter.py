"""
Compare our exporter with Debian's node_exporter: scrape times, CPU, memory; both sides in one run.

By hand: `.venv/bin/python tests/benchmarks/exporter.py`. README.md says what is measured and how.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import database
import process
import psutil
import report
from contenders import Contender, fetch_node_exporter, start_node_exporter, start_ours
from rotations import Plan, Row, measure, percentile

NODES = ["plain", "stuck", "before"]
SETTLE_SECONDS = 10.0  # what programs do once after their start is no one's daily cost


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--rotations", type=int, default=5)
    parser.add_argument("--scrapes", type=int, default=1000, help="of each, a rotation")
    parser.add_argument("--steady-seconds", type=float, default=60, help="one scrape per 5 s")
    parser.add_argument("--quiet-seconds", type=float, default=30, help="no scrape at all")
    parser.add_argument("--tick-seconds", type=float, default=5)
    parser.add_argument("--node-exporter", type=Path, help="instead of Debian's package")
    parser.add_argument("--against", type=Path, help="another checkout, with its .venv: before")
    parser.add_argument("--json", type=Path, help="file to write")
    return parser.parse_args()


def start(
    arguments: argparse.Namespace, folder: Path, dsns: dict[str, str], stack: ExitStack
) -> list[Contender]:
    """Start all contenders; they end with `stack`."""
    program = arguments.node_exporter or fetch_node_exporter(folder / "debian")
    tick = arguments.tick_seconds
    contenders: list[Contender] = []

    def add(contender: Contender) -> None:
        contenders.append(contender)
        stack.callback(contender.stop)

    add(start_ours(folder, "plain", dsns["plain"], tick))
    add(start_ours(folder, "stuck", dsns["stuck"], tick, name="hung"))
    if arguments.against:
        python = str(arguments.against / ".venv/bin/python")
        add(start_ours(folder, "before", dsns["before"], tick, name="before", python=python))
    add(start_node_exporter(program, folder))
    for contender in contenders:
        contender.wait()
    time.sleep(SETTLE_SECONDS)
    return contenders


def rotate(
    contenders: list[Contender], plan: Plan, port: int
) -> tuple[dict[str, Row], float, float]:
    """Return one rotation, its p99 from reading to SQL in ticks, and the CPUs that others used."""
    since, began = datetime.now(UTC), time.monotonic()
    before = read_foreign_seconds()
    rows = measure(contenders, plan)
    foreign = (read_foreign_seconds() - before) / (time.monotonic() - began)
    latencies = database.read_latencies(port, "plain", since)
    return rows, percentile(latencies, 99) / plan.tick_seconds, foreign


def read_foreign_seconds() -> float:
    """Return the CPU seconds of what is neither this program nor a contender, its child."""
    return process.read_busy_seconds() - process.read_cpu_seconds(os.getpid())


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Measure, and return everything."""
    plan = Plan(
        arguments.scrapes,
        arguments.steady_seconds,
        arguments.quiet_seconds,
        arguments.tick_seconds,
    )
    done = []
    with ExitStack() as stack:
        port = stack.enter_context(database.run_postgres(folder / "postgres"))
        contenders = start(arguments, folder, database.prepare(port, NODES), stack)
        for number in range(1, arguments.rotations + 1):
            done.append(rotate(contenders, plan, port))
            sys.stderr.write(f"rotation {number}: other programs used {done[-1][2]:.2f} CPUs\n")
    results = report.compare_all([rows for rows, _, _ in done], [ticks for _, ticks, _ in done])
    foreign = report.spread([cpus for _, _, cpus in done])
    how = (
        f"{psutil.cpu_count()} CPUs; {arguments.rotations} rotations of {plan.scrapes} scrapes, "
        f"{plan.steady_seconds:g} s at one per 5 s and {plan.quiet_seconds:g} s without any; "
        f"tick {plan.tick_seconds:g} s."
    )
    noise = f"Other programs, the database included, used {foreign} CPUs."
    sys.stdout.write(report.render(results, [how, noise]) + "\n")
    return {
        "table": report.to_json(results),
        "foreign_cpus": [cpus for _, _, cpus in done],
        "rotations": [{name: asdict(row) for name, row in rows.items()} for rows, _, _ in done],
    }


def main() -> int:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="fleet-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        (folder / "postgres").mkdir()
        measured = run(arguments, folder)
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
