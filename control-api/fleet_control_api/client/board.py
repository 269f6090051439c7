"""What `fleet watch` shows: the fleet in a line, its nodes, its jobs with their progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fleet_control_api.client.tables import SHORT_ID, style_cell
from fleet_control_api.client.values import EMPTY, clean, render_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

BAR_COLUMNS = 24  # at most; a narrow screen takes from it
FRAME_LINES = 8  # the line of the fleet, two head lines, blank lines, what is left out
NODES_SHARE = 0.5  # of the other lines, where both lists are long
OPEN_STATES = ("running", "paused", "pending")


@dataclass(frozen=True)
class Snapshot:
    """The fleet at one moment, as the API told it."""

    fleet: dict[str, Any]
    nodes: list[dict[str, Any]]
    jobs: list[dict[str, Any]]  # those that are open, then the last that ended
    time: datetime
    problem: str = ""  # why it is not newer

    def to_json(self) -> dict[str, Any]:
        """Return what programs get."""
        return {"fleet": self.fleet, "nodes": self.nodes, "jobs": self.jobs}


@dataclass(frozen=True)
class Board:
    """A snapshot on the screen; as many rows as there is room for."""

    seen: Snapshot
    now: datetime
    height: int | None = None  # lines; None: all rows

    def __rich_console__(self, console: Console, _: ConsoleOptions) -> RenderResult:
        """Yield the three parts."""
        nodes, jobs = self.seen.nodes, self.seen.jobs
        shown = share_lines(len(nodes), len(jobs), self.height)
        yield self._render_head()
        yield ""
        yield render_nodes(nodes[: shown[0]], self.now)
        yield from render_rest(len(nodes) - shown[0], "nodes")
        yield ""
        yield render_jobs(jobs[: shown[1]], self.now, is_terminal=console.is_terminal)
        yield from render_rest(len(jobs) - shown[1], "jobs")

    def _render_head(self) -> Text:
        fleet, nodes = self.seen.fleet, self.seen.nodes
        online = sum(node["state"] == "online" for node in nodes)
        speed = sum(node["tokens_per_second"] or 0 for node in nodes)
        head = Text("Fleet ", "bold").append_text(style_cell("state", fleet["state"]))
        head.append(f"   {online} of {len(nodes)} nodes online   {speed:.0f} tokens/s", "not bold")
        head.append(f"   {self.seen.time.astimezone():%H:%M:%S}", "dim not bold")
        if self.seen.problem:
            head.append(f"\n{clean(self.seen.problem)}; as it was then", "red not bold")
        return head


Cell = tuple[str, "Callable[[dict[str, Any]], RenderableType]"]


def render_nodes(nodes: Sequence[dict[str, Any]], now: datetime) -> Table:
    """Return the table of nodes."""
    return _render(
        nodes,
        ("node", lambda n: n["node"]),
        ("state", lambda n: style_cell("state", n["state"])),
        ("worker", lambda n: style_cell("state", n["worker_state"])),
        ("mode", lambda n: style_cell("mode", n["mode"] or EMPTY)),
        ("throttle", lambda n: render_value("throttle_factor", n["throttle_factor"], now)),
        ("tokens/s", lambda n: render_value("tokens_per_second", n["tokens_per_second"], now)),
        ("CPU", lambda n: render_value("c_celsius", n["cpu_temperature_celsius"], now)),
        ("GPU", lambda n: render_value("g_celsius", n["gpu_temperature_celsius"], now)),
        ("heartbeat", lambda n: render_value("h_at", n["last_heartbeat_at"], now)),
    )


def render_jobs(
    jobs: Sequence[dict[str, Any]], now: datetime, *, is_terminal: bool = True
) -> Table:
    """Return the table of jobs; programs get whole ids and no bars."""
    bars: tuple[Cell, ...] = (("", render_bar),) if is_terminal else ()
    return _render(
        jobs,
        ("job", lambda j: j["job_id"][:SHORT_ID] if is_terminal else j["job_id"]),
        ("state", lambda j: style_cell("state", j["state"])),
        ("scenario", lambda j: j["scenario"]),
        *bars,
        ("progress", lambda j: f"{j['done']}/{j['wanted']}"),
        ("rejected", lambda j: str(j["rejected"])),
        ("eta", lambda j: render_value("eta_at", j["eta_p50_at"], now)),
    )


def render_bar(job: dict[str, Any]) -> ProgressBar:
    """Return how far a job is, rejected conversations included."""
    return ProgressBar(
        total=1.0,
        completed=job["progress_ratio"] or 0.0,
        style="bar.back",
        complete_style="red" if job["state"] in {"failed", "cancelled"} else "bar.complete",
    )


def render_rest(count: int, what: str) -> Iterator[Text]:
    """Yield a line on the rows that there was no room for."""
    if count:
        yield Text(f"… and {count} more {what}", "dim")


def share_lines(nodes: int, jobs: int, height: int | None) -> tuple[int, int]:
    """Return how many nodes and jobs fit a screen; what one leaves, the other takes."""
    if height is None:
        return nodes, jobs
    room = max(height - FRAME_LINES, 2)
    for_nodes = min(nodes, max(int(room * NODES_SHARE), room - jobs))
    return for_nodes, min(jobs, room - for_nodes)


def _render(rows: Sequence[dict[str, Any]], *cells: Cell) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading, _ in cells:
        is_number = heading in {"throttle", "tokens/s", "CPU", "GPU", "progress", "rejected"}
        table.add_column(
            heading,
            justify="right" if is_number else "left",
            no_wrap=bool(heading),
            max_width=None if heading else BAR_COLUMNS,
            overflow="ellipsis",
        )
    for row in rows:
        told = [read(row) for _, read in cells]
        table.add_row(*(Text(clean(said)) if isinstance(said, str) else said for said in told))
    return table
