"""
Decide where Grafana, Prometheus and Alertmanager come from.

In this order: an external one, FLEET_<NAME>_HOME, PATH, the vendor's pinned release, Debian's
packages, absent. What the cache has is used without asking the network: a start stays quick, and a
home does not change its Prometheus with each outage.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.fetch import (
    Cache,
    DownloadProgress,
    debian,
    decide_cache_root,
    hosts,
    tasks,
    vendor,
)
from fleet_stack.home import StackError
from fleet_stack.parts.installed import DEBIAN, DEBIAN_HAS, Machine, find_here, older_release
from fleet_stack.parts.program import Program, ask_version, from_folder, render_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

NAMES = ("grafana", "prometheus", "alertmanager")
BRIEF_SECONDS = 1.0  # a start with nothing to do must stay one
TOOLS = {"prometheus": "promtool", "alertmanager": "amtool"}

Pins = Mapping[str, vendor.Pin]  # by program


@dataclass(frozen=True)
class Sources:
    """Where programs are fetched from; tests pass their own."""

    cache: Cache
    architecture: str | None
    probe: Callable[[Iterable[str]], frozenset[str]]
    fetch_vendor: Callable[[str, vendor.Pin, str], Path]
    fetch_debian: Callable[[], Path] | None
    ask: Callable[[Path], str] = ask_version


@dataclass
class Findings:
    """Programs found so far, and the reasons why others were not."""

    programs: dict[str, Program]
    reasons: dict[str, str]

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that were not found yet."""
        return [name for name in names if name not in self.programs]

    def add_reason(self, name: str, reason: str) -> None:
        """Record why a program was not found."""
        self.reasons[name] = "; ".join(filter(None, [self.reasons.get(name), reason]))


def find_programs(
    environ: Mapping[str, str],
    report: Callable[[str], None],
    names: Sequence[str] = NAMES,
    *,
    sources: Sources | None = None,
    stop: threading.Event | None = None,
) -> dict[str, Program]:
    """
    Return each program by name, fetched if necessary; report one line for each.

    Raises ProgramError when a setting names something that cannot be used, and CancelledError soon
    after `stop` is set.
    """
    sources = sources or default_sources(environ, report, stop)
    pins = {name: pin for name, pin in vendor.load_pins().items() if name in names}
    machine = Machine(environ, sources.cache, report, sources.ask)
    here = {name: find_here(name, pins[name], machine) for name in names}
    findings = Findings({name: found for name, found in here.items() if found}, {})
    if findings.missing(names):
        if environ.get("FLEET_OFFLINE") == "1":
            for name in findings.missing(names):
                findings.add_reason(name, "FLEET_OFFLINE=1 forbids fetching the vendor's release")
        else:
            take_from_vendors(findings, pins, sources)
        take_older_releases(findings, pins, sources)
        take_from_debian(findings, pins, sources)
    programs = {
        name: findings.programs.get(name)
        or absent(name, pins[name], findings.reasons.get(name, ""))
        for name in names
    }
    for program in programs.values():
        report(render_program(program))
    return programs


def take_from_vendors(findings: Findings, pins: Pins, sources: Sources) -> None:
    """Fetch the pinned releases that are missing, in parallel."""
    architecture = sources.architecture
    missing = findings.missing(pins)
    if architecture is None:
        for name in missing:
            findings.add_reason(name, "no release is pinned for this kind of machine")
        return
    urls = {name: pins[name].url.format(arch=architecture) for name in missing}
    reachable = sources.probe(urls.values())

    def fetch(name: str) -> None:
        if urls[name] not in reachable:
            findings.add_reason(name, f"{urls[name].split('/')[2]} cannot be reached")
            return
        try:
            folder = sources.fetch_vendor(name, pins[name], architecture)
            found = from_folder(name, pins[name], folder, "vendor", sources.ask)
        except StackError as exc:
            findings.add_reason(name, str(exc))
        else:
            findings.programs[name] = found

    for fetching in [tasks.begin(fetch, name) for name in missing]:
        fetching.result()


def take_older_releases(findings: Findings, pins: Pins, sources: Sources) -> None:
    """Keep the release in use, where the pinned one cannot be fetched."""
    for name in findings.missing(pins):
        folder = older_release(name, sources.cache)
        if folder is not None:
            found = from_folder(name, pins[name], folder, "vendor", sources.ask)
            findings.programs[name] = found


def take_from_debian(findings: Findings, pins: Pins, sources: Sources) -> None:
    """Unpack Debian's packages for all that are missing."""
    missing = [name for name in findings.missing(pins) if name in DEBIAN_HAS]
    if not missing:
        return
    if sources.fetch_debian is None:
        for name in missing:
            findings.add_reason(name, "this system has no apt-get and dpkg")
        return
    try:
        folder = sources.fetch_debian()
        for name in missing:
            found = from_folder(name, pins[name], folder, "debian", sources.ask)
            findings.programs[name] = found
    except StackError as exc:
        for name in findings.missing(missing):
            findings.add_reason(name, str(exc))


def absent(name: str, pin: vendor.Pin, reason: str) -> Program:
    """Return an absent program, with the reason and the command that adds it."""
    command = f"FLEET_{name.upper()}_HOME=FOLDER ./fleet up"
    advice = f"unpack {name} {pin.floor} or newer into FOLDER and run: {command}"
    return Program(name, reason=f"{reason}; {advice}")


def probe_briefly(urls: Iterable[str]) -> frozenset[str]:
    """Return the URLs that answer within a second."""
    return hosts.probe(urls, seconds=BRIEF_SECONDS)


def is_any_available(
    names: Iterable[str],
    environ: Mapping[str, str],
    *,
    cache: Cache | None = None,
    probe: Callable[[Iterable[str]], frozenset[str]] = probe_briefly,
) -> bool:
    """True when a start would find one of these now; asks the network for a second at most."""
    pins = {name: pin for name, pin in vendor.load_pins().items() if name in set(names)}
    cache = cache or Cache(decide_cache_root(environ, os.geteuid()))
    machine = Machine(environ, cache, lambda _line: None)
    if any(find_here(name, pin, machine) for name, pin in pins.items()):
        return True
    architecture = vendor.read_architecture()
    if environ.get("FLEET_OFFLINE") == "1" or architecture is None:
        return False
    return bool(probe([pin.url.format(arch=architecture) for pin in pins.values()]))


def default_sources(
    environ: Mapping[str, str], report: Callable[[str], None], stop: threading.Event | None = None
) -> Sources:
    """Return the real sources, with the cache of this user."""
    cache, stop = Cache(decide_cache_root(environ, os.geteuid())), stop or threading.Event()
    progress = DownloadProgress(report, stop)

    def fetch_debian() -> Path:
        report(f"fetching Debian's packages of {DEBIAN.title} (90 MB)")
        return debian.fetch(cache, DEBIAN, partial(debian.run, stop=stop))

    return Sources(
        cache=cache,
        architecture=vendor.read_architecture(),
        probe=hosts.probe,
        fetch_vendor=lambda name, pin, arch: vendor.fetch(cache, name, pin, arch, progress),
        fetch_debian=fetch_debian if debian.is_possible() else None,
    )


def find_tools(environ: Mapping[str, str], report: Callable[[str], None]) -> dict[str, Path]:
    """Return prometheus, promtool, alertmanager and amtool for tests, without those not found."""
    tools: dict[str, Path] = {}
    for name, program in find_programs(environ, report, tuple(TOOLS)).items():
        if program.path is None:
            continue
        tools[name] = program.path
        beside = program.path.with_name(TOOLS[name])
        where = beside if beside.is_file() else shutil.which(TOOLS[name], path=environ.get("PATH"))
        if where:
            tools[TOOLS[name]] = Path(where)
    return tools
