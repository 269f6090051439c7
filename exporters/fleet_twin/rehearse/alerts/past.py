"""
A past for rules that compare with it: an hour or a day in which all was as it is now.

As `fleet twin history` gives the database one. It goes into Prometheus as a block of its own, which
Prometheus takes up within a minute; what it has measured itself is not touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from fleet_twin.rehearse.scene import RehearsalError, ask_prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: What rules read of long ago: the speed of writing, what is kept, what passes, free space.
SERIES = (
    "node:llm_writing:rate5m",
    "fleet:yield:ratio1h",
    "fleet:quality_checks:ratio1h",
    "fleet_disk_free_bytes",
)
PAST_SECONDS = 3 * 3600.0
STEP_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0
TOOL_SECONDS = 120.0
TAKEN_UP_SECONDS = 180.0
LOOK_SECONDS = 2.0


def render_labels(metric: Mapping[str, str]) -> str:
    """Return a series as OpenMetrics writes it."""
    pairs = [
        '{}="{}"'.format(key, value.replace("\\", "\\\\").replace('"', '\\"'))
        for key, value in sorted(metric.items())
        if key != "__name__"
    ]
    return f"{metric['__name__']}{{{','.join(pairs)}}}"


def render_past(
    series: Sequence[tuple[Mapping[str, str], float]], begin: float, end: float
) -> Iterator[str]:
    """Yield the lines of an OpenMetrics file in which each series always had its value."""
    for metric, value in series:
        name, at = render_labels(metric), begin
        while at < end:
            yield f"{name} {value!r} {at:.3f}\n"
            at += STEP_SECONDS
    yield "# EOF\n"


def give_past(prometheus: str, pid: int, tell: Callable[[str], object]) -> None:
    """Give the Prometheus of this process a past, and wait until it knows it. RehearsalError."""
    now = time.time()
    begin = find_begin(prometheus, now)
    if now - begin >= PAST_SECONDS - TOOL_SECONDS:
        return
    found = wait_for_series(prometheus, tell)
    command = psutil.Process(pid)
    tool = Path(command.exe()).with_name("promtool")
    flags = ask_prometheus(prometheus, "/api/v1/status/flags")
    folder = Path(flags["storage.tsdb.path"])
    if not tool.exists():
        raise RehearsalError(f"there is no {tool} beside Prometheus; it comes with its release")
    tell("Prometheus is given three hours of past")
    with tempfile.TemporaryDirectory() as made:
        file, blocks = Path(made) / "past.txt", Path(made) / "blocks"
        with file.open("w", encoding="utf-8") as lines:
            lines.writelines(render_past(found, now - PAST_SECONDS, begin - STEP_SECONDS))
        run = [str(tool), "tsdb", "create-blocks-from", "openmetrics", str(file), str(blocks)]
        done = subprocess.run(
            run, capture_output=True, text=True, check=False, timeout=TOOL_SECONDS
        )
        if done.returncode:
            raise RehearsalError(f"promtool cannot write a past: {done.stderr.strip()}")
        for block in blocks.iterdir():
            adopt(block, folder)
    wait_until_known(prometheus, begin)


def adopt(block: Path, folder: Path) -> None:
    """Bring a block into the folder of Prometheus, as a file of whoever owns it."""
    owner = folder.stat()
    draft = folder / f"{block.name}.tmp-for-creation"
    shutil.copytree(block, draft)
    for path in (draft, *draft.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    draft.rename(folder / block.name)


def find_begin(prometheus: str, now: float) -> float:
    """Return since when Prometheus knows of free space, within the past that is asked for."""
    query = f"min_over_time(timestamp({SERIES[-1]})[{PAST_SECONDS:.0f}s:1m])"
    times = [float(each["value"][1]) for each in ask_query(prometheus, f"min({query})")]
    return min(times, default=now)


def wait_for_series(
    prometheus: str, tell: Callable[[str], object]
) -> list[tuple[Mapping[str, str], float]]:
    """Return all series with their value now, once there are any of each name."""
    until = time.monotonic() + TAKEN_UP_SECONDS
    while True:
        found = {name: ask_query(prometheus, name) for name in SERIES}
        lacking = [name for name, series in found.items() if not series]
        if not lacking:
            return [
                (each["metric"], float(each["value"][1]))
                for series in found.values()
                for each in series
            ]
        if time.monotonic() > until:
            raise RehearsalError(f"the twin writes nothing: there is no {lacking[0]}")
        tell(f"waiting for {lacking[0]}")
        time.sleep(5 * LOOK_SECONDS)


def wait_until_known(prometheus: str, begin: float) -> None:
    """Wait until the past can be asked for. Raises RehearsalError."""
    until = time.monotonic() + TAKEN_UP_SECONDS
    while not ask_query(prometheus, SERIES[-1], begin - 3600):
        if time.monotonic() > until:
            raise RehearsalError("Prometheus has not taken up its past")
        time.sleep(LOOK_SECONDS)


def ask_query(prometheus: str, query: str, at: float | None = None) -> list[dict[str, Any]]:
    """Return the series of an instant query. Raises RehearsalError."""
    told = {"query": query, **({} if at is None else {"time": f"{at:.3f}"})}
    data = ask_prometheus(prometheus, "/api/v1/query", told, TIMEOUT_SECONDS)
    found: list[dict[str, Any]] = data["result"]
    return found
