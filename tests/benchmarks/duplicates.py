"""
What the search for near copies finds, what it takes for copies, and what it costs.

1. So many different calls (`--different`) of the twin's models are stored, each after a search
   for copies of it among those before. None should be found.
2. Copies of some of them (`--planted`) are looked for: other names, turns in another order, some
   words changed.
3. The database is filled up (`--stored`) with calls that have their turns from others of the same
   scenario, and new calls are checked, each as `fleet.find_near_copy` alone and as sketch and
   search together.

Run by hand (README.md); it fails nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import database
from fleet_orchestrator.quality.similarity import number_words, read_turns
from fleet_orchestrator.quality.sketch import SPEAKERS, Sketch, find_bands
from fleet_timescale.connection import connect
from rotations import percentile

sys.path.append(str(Path(__file__).parents[1] / "twin"))
import copies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_timescale.connection import Connection

BATCH = 1000


def main() -> None:
    """Print a table for each of the three."""
    parser = argparse.ArgumentParser(description="Find near copies.")
    parser.add_argument("--different", type=int, default=10_000)
    parser.add_argument("--planted", type=int, default=500)
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--checked", type=int, default=200)
    amount = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with database.run_postgres(Path(folder)) as port:
            database.prepare(port, ["alpha"])
            dsn = database.render_dsn(port, database.OWNER)
            with connect(dsn, "benchmark") as connection:
                connection.execute("SET session_replication_role = replica")
                connection.execute("SET synchronous_commit = off")
                measure(connection, amount)


def measure(connection: Connection, amount: argparse.Namespace) -> None:
    """Do the three in their order."""
    say(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    calls = list(copies.draw_calls(amount.different))
    say(f"{len(calls)} different calls, load {os.getloadavg()[0]:.1f}")
    ids = tell_wrong(connection, calls)
    tell_found(connection, calls[: amount.planted], ids)
    fill(connection, calls, amount.stored - len(calls))
    connection.execute("ANALYZE fleet.sketches")
    connection.execute("ANALYZE fleet.conversations")
    tell_cost(connection, list(copies.draw_calls(amount.checked, seed=8)))


def fill(connection: Connection, calls: list[copies.Spoken], count: int) -> None:
    """Store so many calls with each turn from another call of the same scenario."""
    for place, (scenario, sketch) in enumerate(mix(calls, count)):
        if place % BATCH == 0:
            connection.execute("COMMIT" if place else "SELECT 1")
            connection.execute("BEGIN")
        copies.put(connection, scenario, sketch)
    connection.execute("COMMIT")


def mix(calls: list[copies.Spoken], count: int) -> Iterator[tuple[str, Sketch]]:
    """Yield scenario and sketch of calls that never were."""
    draw = random.Random(11)
    by_place: dict[tuple[str, int], list[str]] = {}
    for one in calls:
        for place, text in enumerate(one.scrubbed):
            by_place.setdefault((one.scenario, place), []).append(text)
    for made in range(count):
        one = calls[made % len(calls)]
        places = range(len(one.texts))
        texts = [draw.choice(by_place[one.scenario, place]) for place in places]
        turns = read_turns([SPEAKERS[place % 2] for place in places], texts)
        bands = find_bands(turns, copies.METHOD)
        yield one.scenario, Sketch(copies.METHOD.name, sorted(number_words(turns)), bands, 0.0)


def tell_wrong(connection: Connection, calls: list[copies.Spoken]) -> list[Any]:
    """Store different calls and print how many are taken for copies of one that was before."""
    ids, wrong = [], []
    for one in calls:
        sketch = one.sketch
        found, similarity = copies.find(connection, sketch)
        if found:
            wrong.append(similarity)
        ids.append(copies.put(connection, one.scenario, sketch))
    say(f"taken for copies: {len(wrong)} of {len(calls)} {wrong[:10]}")
    return ids


def tell_found(connection: Connection, calls: list[copies.Spoken], ids: list[Any]) -> None:
    """Print which share of the copies of each kind is found, and their similarity."""
    for kind, planted in copies.plant(calls, random.Random(3)).items():
        found = [copies.find(connection, one.sketch) for one in planted]
        right = [
            similarity
            for (made, similarity), wanted in zip(found, ids, strict=False)
            if made == wanted
        ]
        lowest = min(right, default=0.0)
        say(f"{kind}: {len(right)} of {len(planted)} found, lowest similarity {lowest:.2f}")


def tell_cost(connection: Connection, calls: list[copies.Spoken]) -> None:
    """Print the time to look for near copies of new calls, and of the sketch before it."""
    row = connection.execute(
        "SELECT count(*) AS stored, pg_total_relation_size('fleet.sketches') / 1000000 AS megabytes"
        " FROM fleet.sketches"
    ).fetchone()
    say(f"stored: {row}, load {os.getloadavg()[0]:.1f}")
    searches, wholes = [], []
    for one in calls:
        began = time.perf_counter()
        sketch = one.sketch
        middle = time.perf_counter()
        copies.find(connection, sketch)
        ended = time.perf_counter()
        searches.append(ended - middle)
        wholes.append(ended - began)
    for name, seconds in (("search", searches), ("masking, sketch and search", wholes)):
        say(
            f"{name}: median {statistics.median(seconds) * 1e3:.1f} ms,"
            f" p95 {percentile(seconds, 95) * 1e3:.1f} ms, most {max(seconds) * 1e3:.1f} ms"
        )


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
