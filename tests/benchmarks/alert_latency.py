"""
Measure how long real alerts take from a fault to a mail, and how many messages a big loss makes.

Run by hand (README.md); it fails nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import targets
import watchers
import yaml
from contenders import find_port
from notices import Notice, Notices
from simulated_pages import TICK_SECONDS, Center, Change, render_node
from targets import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

REFUSED, FROZEN = "refused", "frozen"
SENSORS = {
    "CpuHot": Change("fleet_cpu_temperature_celsius", {}, 93),
    "GpuHot": Change("fleet_gpu_temperature_celsius", {"gpu": "0"}, 93),
    "UnderVoltage": Change("fleet_pi_throttled", {"reason": "under_voltage"}, 1),
    "GpuLost": Change("fleet_gpu_up", {"gpu": "0"}, 0),
}
KINDS = (REFUSED, FROZEN, *SENSORS)
SERVICE_DOWN = "ServiceDown"
CONTROL_JOB = "fleet-control-api"
START_SECONDS = 120.0
CALM_SECONDS = 15.0  # of all well before the first fault
AFTER_SECONDS = 45.0  # three intervals of critical alerts, for messages that should not come
GONE_SECONDS = 150.0  # 30 s of silence, then half a minute for warnings, then two intervals


@dataclass(frozen=True)
class Goal:
    """Seconds from a fault to its mail."""

    title: str
    kinds: tuple[str, ...]
    p50: float | None
    max: float


GOALS = (
    Goal("killed process, refused target", (REFUSED,), 3.5, 7),
    Goal("frozen program", (FROZEN,), None, 11),
    Goal("critical sensor faults", tuple(SENSORS), 6.5, 12),
)


@dataclass
class Victim:
    """A target with one fault to come; sensors tell of it at the exporter's next tick."""

    kind: str
    name: str
    target: Target
    #: monotonic seconds; of the tick any of them
    faulty_at: float = float("inf")
    tick_at: float = 0.0

    @property
    def alert(self) -> tuple[str, str]:
        """Return name and place of the alert that this fault is to raise."""
        if self.kind in SENSORS:
            return self.kind, self.name
        return SERVICE_DOWN, self.target.address

    def break_down(self) -> None:
        """Let the fault happen now."""
        self.faulty_at = time.monotonic()
        if self.kind == REFUSED:
            self.target.kill()
        self.target.is_frozen = self.kind == FROZEN

    def render(self, number: int, _path: str, _body: bytes) -> bytes:
        """Return the page of a node, as of its last tick."""
        now = time.monotonic()
        read_at = now - (now - self.tick_at) % TICK_SECONDS
        changes = (SENSORS[self.kind],) if self.faulty_at <= read_at else ()
        return targets.compress(render_node(time.time() - (now - read_at), number, changes))


@dataclass
class Scene:
    """All that the watchers look at, and the ears that they tell."""

    center: Center
    nodes: dict[str, Target] = field(default_factory=dict)
    services: list[Target] = field(default_factory=list)
    notices: Notices = field(default_factory=Notices)
    stack: ExitStack = field(default_factory=ExitStack)

    async def open(self, answer: Callable[[str, bytes], bytes]) -> Target:
        """Start a target that ends with the scene."""
        target = await Target(answer).start()
        self.stack.callback(target.close)
        return target

    def discover(self, _path: str, _body: bytes) -> bytes:
        """Answer as the control API when Prometheus asks for the nodes."""
        return targets.render_discovery(
            {node: (target.address, "/metrics") for node, target in self.nodes.items()}
        )


@asynccontextmanager
async def watch(scene: Scene, tools: dict[str, Path], *, is_each_alone: bool) -> AsyncIterator[int]:
    """Run both programs over a scene; yields the port of Prometheus once all targets answer."""
    center = scene.center
    master = await scene.open(lambda *_: targets.compress(center.render_master(time.time())))
    services = scene.services or [await scene.open(lambda *_: center.render_control())]
    discovery = await scene.open(scene.discover)
    ear = await scene.open(scene.notices.hear_text_message)
    history = await scene.open(lambda *_: b"")
    ports = {"prometheus": find_port(), "alertmanager": find_port()}
    addresses = {f"{name}_address": f"127.0.0.1:{port}" for name, port in ports.items()}
    async with scene.notices.receiving_mails() as mail:
        with temporary_folder() as folder, ExitStack() as stack:
            config = watchers.render_alertmanager(
                folder, mail=mail, text_messages=ear.address, history=history.address
            )
            await start(
                stack,
                partial(
                    watchers.run_alertmanager, tools["alertmanager"], folder,
                    part_groups(config) if is_each_alone else config, ports["alertmanager"],
                ),
            )  # fmt: skip
            config = watchers.render_prometheus(
                folder, sd_url=f"http://{discovery.address}/", master_address=master.address,
                control_address=services[0].address, **addresses,
            )  # fmt: skip
            config = add_services(config, [each.address for each in services])
            await start(
                stack,
                partial(
                    watchers.run_prometheus, tools["prometheus"], folder, config,
                    ports["prometheus"],
                ),
            )  # fmt: skip
            wanted = len(scene.nodes) + len(services) + 3  # master and the two themselves
            await wait_until_up(ports["prometheus"], wanted)
            yield ports["prometheus"]


async def start(stack: ExitStack, run: Callable[[], Any]) -> None:
    """Enter what starts a program, while targets go on answering."""
    await asyncio.to_thread(stack.enter_context, run())


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="fleet-benchmark-") as folder:
        yield Path(folder)


def part_groups(config: str) -> str:
    """Give each target messages of its own: each fault stands for one that happens alone."""
    parsed = yaml.safe_load(config)
    parsed["route"]["group_by"] = ["alertname", "node", "instance"]
    return yaml.safe_dump(parsed)


def add_services(config: str, addresses: list[str]) -> str:
    """Let the job of the control API have these targets, each one a program that may fail."""
    parsed = yaml.safe_load(config)
    for job in parsed["scrape_configs"]:
        if job["job_name"] == CONTROL_JOB:
            job["static_configs"] = [{"targets": addresses}]
    return yaml.safe_dump(parsed)


async def wait_until_up(port: int, wanted: int) -> None:
    """Return when this many targets answer. Raises RuntimeError."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if await asyncio.to_thread(watchers.ask, port, "count(up == 1)") == wanted:
            return
        await asyncio.sleep(0.5)
    raise RuntimeError(f"not all of {wanted} targets answered within {START_SECONDS:g} s")


async def measure_faults(
    tools: dict[str, Path], count: int, seconds: float, chance: random.Random
) -> tuple[list[Victim], list[Notice]]:
    """Let faults happen at random within some seconds; return them, and all that was told."""
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    names = [f"node-{number:03d}" for number, kind in enumerate(kinds) if kind in SENSORS]
    scene = Scene(Center(names))
    victims = []
    with scene.stack:
        for number, kind in enumerate(kinds):
            target = await scene.open(lambda *_: scene.center.render_control())
            victim = Victim(kind, f"node-{number:03d}", target, tick_at=chance.uniform(0, 5))
            if kind in SENSORS:
                target.answer = partial(victim.render, number)
                scene.nodes[victim.name] = target
            else:
                scene.services.append(target)
            victims.append(victim)
        async with watch(scene, tools, is_each_alone=True):
            await asyncio.sleep(CALM_SECONDS)
            began = time.monotonic()
            order = chance.sample(victims, len(victims))
            for at, victim in zip(
                sorted(chance.uniform(0, seconds) for _ in order), order, strict=True
            ):
                await asyncio.sleep(max(0.0, began + at - time.monotonic()))
                victim.break_down()
            say(f"{count} faults within {seconds:g} s; waiting for what is told of them")
            await asyncio.sleep(AFTER_SECONDS)
    return victims, scene.notices.told


async def measure_loss(
    tools: dict[str, Path], count: int, lost: int, chance: random.Random
) -> list[Notice]:
    """Let many nodes vanish at once; return all that was told."""
    scene = Scene(Center([f"node-{number:03d}" for number in range(count)]))
    with scene.stack:
        for number, node in enumerate(scene.center.nodes):
            scene.nodes[node] = await scene.open(
                lambda *_, number=number: targets.compress(render_node(time.time(), number))
            )
        async with watch(scene, tools, is_each_alone=False):
            await asyncio.sleep(CALM_SECONDS)
            for node in chance.sample(scene.center.nodes, lost):
                scene.nodes[node].kill()
                scene.center.silent_since[node] = time.time()
            say(f"{lost} of {count} nodes are gone; waiting for what is told of them")
            await asyncio.sleep(GONE_SECONDS)
    return scene.notices.told


def render_faults(victims: list[Victim], told: list[Notice]) -> str:
    """Return the table of times, and what was missing, doubled or told of something else."""
    mails: dict[tuple[str, str], list[float]] = {}
    for notice in told:
        if notice.is_mail and notice.status == "firing":
            for place in notice.places:
                mails.setdefault((notice.alert, place), []).append(notice.at)
    lines = [
        "| fault | faults | mail after p50, s | max, s | missing | doubled | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    singles = [Goal(f"- {kind}", (kind,), None, goal.max) for goal in GOALS for kind in goal.kinds
               if len(goal.kinds) > 1]  # fmt: skip
    for goal in (*GOALS, *singles):
        group = [victim for victim in victims if victim.kind in goal.kinds]
        found = [mails.get(victim.alert, []) for victim in group]
        pairs = zip(found, group, strict=True)
        taken = [min(at) - victim.faulty_at for at, victim in pairs if at]
        lines.append(render_times(goal, len(group), taken, sum(len(at) > 1 for at in found)))
    expected = {victim.alert for victim in victims}
    others = Counter(alert for alert, place in mails if (alert, place) not in expected)
    early = sum(min(mails[v.alert]) < v.faulty_at for v in victims if v.alert in mails)
    return "\n".join(
        [
            *lines,
            "",
            f"mails before their fault: {early}; of other alerts: {dict(others) or 'none'}",
        ]
    )


def render_times(goal: Goal, count: int, taken: list[float], doubled: int) -> str:
    """Return one row."""
    wanted = f"p50 <= {goal.p50:g}, max <= {goal.max:g}" if goal.p50 else f"max <= {goal.max:g}"
    if not taken:
        return f"| {goal.title} | {count} | | | {count} | {doubled} | {wanted} |"
    p50, most = statistics.median(taken), max(taken)
    is_held = most <= goal.max and (goal.p50 is None or p50 <= goal.p50)
    is_held = is_held and len(taken) == count and not doubled
    return (
        f"| {goal.title} | {count} | {p50:.2f} | {most:.2f} | {count - len(taken)} | {doubled} |"
        f" {wanted}: {'held' if is_held else 'MISSED'} |"
    )


def render_loss(told: list[Notice], lost: int) -> str:
    """Return how many messages each receiver got about each alert."""
    firing = [notice for notice in told if notice.status == "firing"]
    lines = [
        f"| receiver | alert | messages about {lost} lost nodes | alerts in the last one | goal |",
        "|---|---|---|---|---|",
    ]
    for receiver, alert in sorted({(notice.receiver, notice.alert) for notice in firing}):
        messages = [n for n in firing if (n.receiver, n.alert) == (receiver, alert)]
        held = "held" if len(messages) <= 2 else "MISSED"
        named = len(messages[-1].places)
        lines.append(f"| {receiver} | {alert} | {len(messages)} | {named} | <= 2: {held} |")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--faults", type=int, default=50, help="0 leaves them out")
    parser.add_argument("--seconds", type=float, default=60, help="within which they happen")
    parser.add_argument("--nodes", type=int, default=50, help="0 leaves the loss of many out")
    parser.add_argument("--lost", type=int, default=20, help="of these nodes, at once")
    parser.add_argument("--seed", type=int, default=1, help="another number, other moments")
    return parser.parse_args()


async def run(arguments: argparse.Namespace) -> None:
    """Print each table as soon as it is there."""
    tools, chance = watchers.find_watchers(), random.Random(arguments.seed)
    if arguments.faults:
        faults = await measure_faults(tools, arguments.faults, arguments.seconds, chance)
        sys.stdout.write(render_faults(*faults) + "\n\n")
    if arguments.nodes:
        told = await measure_loss(tools, arguments.nodes, arguments.lost, chance)
        sys.stdout.write(render_loss(told, arguments.lost) + "\n")


def say(line: str) -> None:
    """Tell whoever watches how far it is."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    watchers.run_to_the_end(run(parse_arguments()))
