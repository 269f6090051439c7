"""
The faults that can be set on a simulated machine, and the file that says which are.

Written by `fleet twin fault` and `clear`, read by the twin each second. It is replaced as a
whole, so that no reader sees half of it.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fleet_timescale.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from fleet_twin.machine.kinds import Kind, Place

FILE = "faults.json"
VERSION = 1

GPU_HOT, CPU_HOT, GPU_LOST = "gpu-hot", "cpu-hot", "gpu-lost"
UNDER_VOLTAGE, SENSORS_BLIND = "under-voltage", "sensors-blind"
DISK_FILLING, DISK_LEAKING, MODEL_DISK_FULL = "disk-filling", "disk-leaking", "model-disk-full"
NODE_GONE, NODE_FROZEN, NODE_TWICE = "node-gone", "node-frozen", "node-twice"
EXPORTER_FROZEN, AGENT_FROZEN = "exporter-frozen", "agent-frozen"
READINGS_STUCK, PAGE_TOO_LONG = "readings-stuck", "page-too-long"
SLOW_MODEL, WEDGED_MODEL, CPU_FALLBACK = "slow-model", "wedged-model", "cpu-fallback"
MODEL_DOWN, MODEL_FAILING, MODEL_MISSING = "model-down", "model-failing", "model-missing"
SMALL_CONTEXT = "small-context"
GAME_STARTS, OWNER_AWAY, CLOCK_SKEW = "game-starts", "owner-away", "clock-skew"
BAD_OUTPUT, DUPLICATE_OUTPUT, LOGIN_PAGE = "bad-output", "duplicate-output", "login-page"

# What each does, for people.
FAULTS = {
    GPU_HOT: "the first graphics card is badly cooled",
    CPU_HOT: "the CPU is badly cooled",
    GPU_LOST: "the first graphics card falls off the bus; the model goes on on the CPU",
    UNDER_VOLTAGE: "the power supply is too weak",
    SENSORS_BLIND: "the counters of the drives cannot be read",
    DISK_FILLING: "something fills the first file system within a minute",
    DISK_LEAKING: "something fills the first file system slowly, and stops before it is full",
    MODEL_DISK_FULL: "the file system of the models is full to its last gigabyte",
    NODE_GONE: "the machine is switched off without a word",
    NODE_FROZEN: "the machine hangs: connections stay open, nothing answers",
    NODE_TWICE: "another machine has taken the node's name; this one is refused",
    EXPORTER_FROZEN: "the exporter hangs; agent and worker go on",
    AGENT_FROZEN: "agent and worker hang; the exporter goes on",
    READINGS_STUCK: "the exporter does not reach the database; agent and worker do",
    PAGE_TOO_LONG: "the exporter's page has thousands of series too many",
    SLOW_MODEL: "the model server writes at a fifth of its speed",
    WEDGED_MODEL: "the model server takes requests and answers nothing",
    MODEL_DOWN: "the model server has ended: it answers nobody",
    MODEL_FAILING: "the model server cannot load its model; it says so, and answers calls by 500",
    MODEL_MISSING: "the model server has another model than the node is to write with",
    SMALL_CONTEXT: "the model server has room for short questions only, and refuses conversations",
    CPU_FALLBACK: "the model is computed on the CPU although there is a graphics card",
    GAME_STARTS: "the owner starts a game",
    OWNER_AWAY: "no fault: the owner stays away, and plug, radio and supply are good",
    CLOCK_SKEW: "the machine's clock is 90 s ahead",
    BAD_OUTPUT: "the model writes what fails the checks",
    DUPLICATE_OUTPUT: "the model writes the same conversation again and again",
    LOGIN_PAGE: "a proxy answers 200 with a login page instead of the model server",
}
_NEEDS: Mapping[str, tuple[str, Callable[[Kind], bool]]] = {
    GPU_HOT: ("a graphics card", lambda kind: bool(kind.cards)),
    GPU_LOST: ("a graphics card", lambda kind: bool(kind.cards)),
    CPU_FALLBACK: ("a graphics card", lambda kind: bool(kind.cards)),
    GAME_STARTS: ("an owner", lambda kind: kind.habit != "nobody"),
    UNDER_VOLTAGE: ("a Raspberry Pi's firmware", lambda kind: kind.is_raspberry),
}

Faults = dict[str, frozenset[str]]  # by node; a node without one is not in it


class FaultError(FleetError):
    """A fault or node that there is not."""


def check(fault: str, node: str, places: Sequence[Place]) -> None:
    """Raise FaultError unless this fault can be set on this node."""
    if fault not in FAULTS:
        raise FaultError(f"there is no fault {fault!r}; there are {', '.join(FAULTS)}")
    place = find_place(node, places)
    need, has = _NEEDS.get(fault, ("", lambda _: True))
    if not has(place.kind):
        able = [each.node for each in places if has(each.kind)]
        where = f"try {', '.join(able)}" if able else "no node of this twin has one"
        raise FaultError(f"{fault} needs {need}, which {node} has not; {where}")


def find_place(node: str, places: Iterable[Place]) -> Place:
    """Return the place of a node. Raises FaultError for an unknown one."""
    known = {place.node: place for place in places}
    if node not in known:
        raise FaultError(f"there is no node {node!r} in this twin; there are {', '.join(known)}")
    return known[node]


def with_fault(faults: Faults, fault: str, node: str) -> Faults:
    """Return the faults with one more."""
    return {**faults, node: faults.get(node, frozenset()) | {fault}}


def without_fault(faults: Faults, fault: str, node: str) -> Faults:
    """Return the faults without one of a node; the others of that node stay."""
    left = faults.get(node, frozenset()) - {fault}
    return {**without(faults, node), **({node: left} if left else {})}


def without(faults: Faults, node: str | None) -> Faults:
    """Return the faults without those of a node; none at all without a node."""
    return {name: held for name, held in faults.items() if node is not None and name != node}


def render(faults: Faults) -> str:
    """Return the content of the file."""
    held = {node: sorted(names) for node, names in sorted(faults.items())}
    return json.dumps({"version": VERSION, "faults": held}, indent=2) + "\n"


def parse(text: str) -> Faults:
    """Return the faults; names that this version does not know are left out. Raises FaultError."""
    try:
        content = json.loads(text)
        if content["version"] != VERSION:
            raise FaultError(
                f"{FILE} has version {content['version']}, not {VERSION}; `fleet twin clear`"
            )
        held = {node: frozenset(names) & FAULTS.keys() for node, names in content["faults"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise FaultError(f"{FILE} is damaged ({exc!r}); `fleet twin clear` replaces it") from exc
    return {node: names for node, names in held.items() if names}


def read(folder: Path) -> Faults:
    """Return the faults that are set; none without a file. Raises FaultError if it is damaged."""
    try:
        return parse((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def store(folder: Path, faults: Faults) -> None:
    """Replace the file."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = folder / f"{FILE}.new"
    draft.write_text(render(faults), encoding="utf-8")
    draft.replace(folder / FILE)


def change(folder: Path, change_held: Callable[[Faults], Faults]) -> None:
    """Change the file; of two commands at once neither loses what the other sets."""
    with _locked(folder):
        store(folder, change_held(read(folder)))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
