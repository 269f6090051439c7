"""
Compare the CPU of a Prometheus with our rules with that of one that only scrapes the same fleet.

Run by hand (README.md); it fails nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import process
import targets
import watchers
from contenders import find_port
from simulated_pages import TICK_SECONDS, Center, render_node
from targets import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGES = 32  # different ones; nodes share them
SCRAPE_SECONDS = 5.0
LOOK_SECONDS = 5.0  # between two looks at how long the rules took
START_SECONDS = 120.0
UP = 'sum(up{job="fleet-node"})'
ROWS = 12  # of the tables of groups and rules
WITHOUT, WITH = "without rules", "with all rules"


@dataclass
class Timing:
    """Seconds that evaluations of a group, or of a rule, took."""

    interval: float
    seconds: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of its interval, on average."""
        return statistics.fmean(self.seconds) / self.interval


@dataclass(frozen=True)
class Figures:
    """What one Prometheus showed while it was measured."""

    cores: float
    pss_mb: float
    series: float
    samples_per_second: float
    scrapes: int
    scrapes_expected: float
    up: float
    missed: float
    groups: dict[str, Timing]
    rules: dict[str, Timing]


@dataclass
class Fleet:
    """The pages of all nodes, served by one loop and rendered anew at each tick."""

    nodes: int
    center: Center = field(init=False)
    pages: list[bytes] = field(default_factory=list)
    target: Target = field(init=False)
    #: pages of nodes served so far
    scrapes: int = 0

    async def start(self) -> None:
        """Serve all pages at one port."""
        names = [f"node-{number:04d}" for number in range(self.nodes)]
        self.center = Center(names)
        self.render()
        self.target = await Target(self.answer).start()

    def render(self) -> None:
        """Read all sensors, as it were."""
        now = time.time()
        self.pages = [targets.compress(render_node(now, number)) for number in range(PAGES)]

    async def tick(self) -> None:
        """Render anew, again and again."""
        while True:
            await asyncio.sleep(TICK_SECONDS - time.time() % TICK_SECONDS)
            self.render()

    def answer(self, path: str, _body: bytes) -> bytes:
        """Return the page of a node, or the list of all."""
        if path.startswith("/nodes/"):
            self.scrapes += 1
            return self.pages[int(path.rpartition("/")[2]) % PAGES]
        places = {
            node: (self.target.address, f"/nodes/{number}")
            for number, node in enumerate(self.center.nodes)
        }
        return targets.render_discovery(places)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument(
        "--warm", type=float, default=360,
        help="seconds before it is measured: rules look back five minutes, a few further",
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, default=120, help="that are measured")
    return parser.parse_args()


async def measure(
    fleet: Fleet, program: Path, folder: Path, rules: Path, arguments: argparse.Namespace
) -> Figures:
    """Run one Prometheus over the fleet and return what it showed."""
    master = await Target(lambda *_: fleet.center.render_master(time.time())).start()
    control = await Target(lambda *_: fleet.center.render_control()).start()
    port = find_port()
    config = watchers.render_prometheus(
        folder, rules_dir=str(rules), sd_url=f"http://{fleet.target.address}/nodes",
        master_address=master.address, control_address=control.address, alertmanager_address="",
        prometheus_address=f"127.0.0.1:{port}",
    )  # fmt: skip
    with ExitStack() as stack:
        for target in (master, control):
            stack.callback(target.close)
        running = watchers.run_prometheus(program, folder, config, port)
        prometheus = await asyncio.to_thread(stack.enter_context, running)
        await wait_until_up(port, fleet.nodes)
        await asyncio.sleep(arguments.warm)
        return await look(fleet, port, prometheus.pid, arguments.seconds)


async def wait_until_up(port: int, nodes: int) -> None:
    """Return when all nodes answer, or those that did in two minutes: the table tells."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if await asyncio.to_thread(watchers.ask, port, UP) == nodes:
            return
        await asyncio.sleep(1)
    sys.stderr.write(f"not all of {nodes} nodes answered within {START_SECONDS:g} s\n")


async def look(fleet: Fleet, port: int, pid: int, seconds: float) -> Figures:
    """Return what a running Prometheus does for some seconds."""
    ask = partial(asyncio.to_thread, watchers.ask, port)
    groups: dict[str, Timing] = {}
    rules: dict[str, Timing] = {}
    missed_expr = "sum(prometheus_rule_group_iterations_missed_total)"
    missed = await ask(missed_expr)
    before, began, scrapes = process.read_cpu_seconds(pid), time.monotonic(), fleet.scrapes
    while time.monotonic() < began + seconds:
        await asyncio.sleep(LOOK_SECONDS)
        note_timings(await asyncio.to_thread(watchers.get, port, "rules"), groups, rules)
    taken = time.monotonic() - began
    cores = (process.read_cpu_seconds(pid) - before) / taken
    return Figures(
        cores=cores,
        pss_mb=process.read_pss_bytes(pid) / 1e6,
        series=await ask("prometheus_tsdb_head_series"),
        samples_per_second=await ask("rate(prometheus_tsdb_head_samples_appended_total[1m])"),
        scrapes=fleet.scrapes - scrapes,
        scrapes_expected=fleet.nodes * taken / SCRAPE_SECONDS,
        up=await ask(UP),
        missed=await ask(missed_expr) - missed,
        groups=groups,
        rules=rules,
    )


def note_timings(told: dict, groups: dict[str, Timing], rules: dict[str, Timing]) -> None:
    """Keep how long the last evaluation of each group and of each of its rules took."""
    for group in told["groups"]:
        timing = groups.setdefault(group["name"], Timing(group["interval"]))
        timing.seconds.append(group["evaluationTime"])
        for rule in group["rules"]:
            name = f"{group['name']}: {rule['name']}"
            timing = rules.setdefault(name, Timing(group["interval"]))
            timing.seconds.append(rule["evaluationTime"])


def render(figures: dict[str, Figures], arguments: argparse.Namespace) -> str:
    """Return all tables."""
    rows = {
        "CPU of Prometheus, cores": lambda of: f"{of.cores:.3f}",
        "scrapes done of those due": lambda of: f"{of.scrapes} of {of.scrapes_expected:.0f}",
        "nodes up in the end": lambda of: f"{of.up:.0f}",
        "samples a second": lambda of: f"{of.samples_per_second:.0f}",
        "series": lambda of: f"{of.series:.0f}",
        "PSS, MB": lambda of: f"{of.pss_mb:.0f}",
        "evaluations left out": lambda of: f"{of.missed:.0f}",
    }
    lines = [f"| {arguments.nodes} nodes | {WITHOUT} | {WITH} |", "|---|---|---|"]
    lines += [
        f"| {title} | {show(figures[WITHOUT])} | {show(figures[WITH])} |"
        for title, show in rows.items()
    ]
    scraping, rules = figures[WITHOUT].cores, figures[WITH].cores - figures[WITHOUT].cores
    held = "held" if rules <= scraping else "MISSED"
    lines += ["", f"all rules cost {rules / scraping:.2f}x of scraping (goal <= 1x: {held})", ""]
    lines += render_timings("group", figures[WITH].groups)
    return "\n".join([*lines, "", *render_timings("rule", figures[WITH].rules)])


def render_timings(what: str, timings: dict[str, Timing]) -> Sequence[str]:
    """Return the table of those that take most of their interval."""
    dearest = sorted(timings.items(), key=lambda item: -item[1].share)[:ROWS]
    head = [
        f"| {what} | interval, s | mean, ms | max, ms | mean of interval |",
        "|---|---|---|---|---|",
    ]
    return head + [
        f"| {name} | {of.interval:g} | {statistics.fmean(of.seconds) * 1000:.1f} |"
        f" {max(of.seconds) * 1000:.1f} | {of.share:.1%} |"
        for name, of in dearest
    ]


async def run(arguments: argparse.Namespace) -> None:
    """Measure one after the other and print the tables."""
    program = watchers.find_watchers()["prometheus"]
    fleet, figures = Fleet(arguments.nodes), {}
    await fleet.start()
    ticking = asyncio.create_task(fleet.tick())
    for name in (WITHOUT, WITH):
        with tempfile.TemporaryDirectory(prefix="fleet-benchmark-") as made:
            folder = Path(made)
            rules = watchers.RULES if name == WITH else folder / "none"
            figures[name] = await measure(fleet, program, folder, rules, arguments)
        sys.stderr.write(f"{name}: {figures[name].cores:.3f} cores\n")
    ticking.cancel()
    fleet.target.close()
    sys.stdout.write(render(figures, arguments) + "\n")


if __name__ == "__main__":
    watchers.run_to_the_end(run(parse_arguments()))
