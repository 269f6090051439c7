"""
Decide what the owner of this machine is doing: idle, work or gaming. Pure: no clock, no file.

A signal that names a game acts at once; graphics load and foreign CPU must last, so that a video or
a short build does not stop the worker. A mode is left more slowly than it is entered.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

GRAPHICS_RATIO = 0.20  # of a GPU, by one process that is not of the desktop
GRAPHICS_SECONDS = 15.0
GAMING_QUIET_SECONDS = 120.0
INPUT_RECENT_SECONDS = 60.0
INPUT_IDLE_SECONDS = 180.0
CPU_BUSY_RATIO = 0.25
CPU_BUSY_SECONDS = 30.0
CPU_CALM_RATIO = 0.15
CPU_CALM_SECONDS = 60.0
BATTERY_LEAVE_SECONDS = 30.0  # a loose plug does not start and stop the worker

Mode = Literal["idle", "work", "gaming"]


@dataclass(frozen=True, slots=True)
class Signals:
    """Present activity signals. None means unknown, and counts neither as yes nor as no."""

    #: games registered with Feral's gamemode
    gamemode_games: int | None = None
    #: what Steam runs; empty when nothing
    steam_game: str | None = None
    #: the running executable that the owner has listed; empty when none
    listed_game: str | None = None
    #: a program owns the whole screen through Direct3D
    is_full_screen: bool | None = None
    #: the foreign, non-desktop process that draws most, and its share of the GPU
    graphics_process: str | None = None
    graphics_ratio: float | None = None
    #: seconds since the last key, click or movement
    input_idle_seconds: float | None = None
    #: somebody is logged in at this machine's own seat
    is_interactive: bool | None = None
    #: share of all CPU time used by what is not ours
    foreign_cpu_ratio: float | None = None
    is_on_battery: bool | None = None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the signals that are unknown on this machine now."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is None)


@dataclass(frozen=True, slots=True)
class Activity:
    """The decision, and the moments (monotonic seconds) that the next one needs."""

    mode: Mode = "idle"
    since: float = 0.0
    reason: str = "nobody needs the machine"
    is_on_battery: bool = False
    graphics_since: float | None = None
    game_at: float | None = None
    input_at: float | None = None
    cpu_busy_since: float | None = None
    cpu_calm_since: float | None = None
    battery_at: float | None = None


def merge(parts: list[Signals]) -> Signals:
    """Merge the signals of several sources; of two idle times the shorter one counts."""
    known: dict[str, object] = {}
    for field in fields(Signals):
        values = [v for part in parts if (v := getattr(part, field.name)) is not None]
        if values:
            known[field.name] = min(values) if field.name == "input_idle_seconds" else values[0]
    return Signals(**known)  # type: ignore[arg-type] # each value comes from the same field


def name_game(signals: Signals) -> str:
    """Return the signal that names a game; empty if none does."""
    if signals.gamemode_games:
        return f"gamemode has {signals.gamemode_games} game(s)"
    if signals.steam_game:
        return f"Steam runs {signals.steam_game}"
    if signals.listed_game:
        return f"{signals.listed_game} runs"
    return "a program owns the screen" if signals.is_full_screen else ""


def decide_activity(before: Activity, signals: Signals, now: float) -> Activity:
    """Return the activity at `now`, given the previous decision."""
    seen = _remember(before, signals, now)
    seen = _decide_battery(seen, signals, now)
    mode, reason = _decide_mode(seen, signals, now)
    since = before.since if mode == before.mode else now
    return replace(seen, mode=mode, since=since, reason=reason)


def _decide_mode(seen: Activity, signals: Signals, now: float) -> tuple[Mode, str]:
    if reason := _decide_gaming(seen, signals, now):
        return "gaming", reason
    if reason := _decide_work(seen, signals, now):
        return "work", reason
    if len(signals.unknown) == len(fields(signals)):
        return "idle", "no activity signal is known on this machine"
    return "idle", "nobody needs the machine"


def _remember(before: Activity, signals: Signals, now: float) -> Activity:
    """Update since when, or when last, each condition held."""
    is_drawing = (signals.graphics_ratio or 0.0) >= GRAPHICS_RATIO
    cpu = signals.foreign_cpu_ratio if signals.is_interactive else None
    is_busy = cpu is not None and cpu > CPU_BUSY_RATIO
    is_calm = cpu is None or cpu < CPU_CALM_RATIO
    input_at = before.input_at
    if signals.input_idle_seconds is not None:
        # Idle time may be measured by several sources: the last input never moves back.
        input_at = max(now - signals.input_idle_seconds, input_at or float("-inf"))
    graphics_since = _since(before.graphics_since, now, is_true=is_drawing)
    # A game in its menus draws little: once it is known as one, any drawing prolongs it.
    is_playing = is_drawing and (
        before.mode == "gaming" or _lasts(graphics_since, now, GRAPHICS_SECONDS)
    )
    is_playing = is_playing or bool(name_game(signals))
    return replace(
        before,
        graphics_since=graphics_since,
        game_at=now if is_playing else before.game_at,
        input_at=input_at,
        cpu_busy_since=_since(before.cpu_busy_since, now, is_true=is_busy),
        cpu_calm_since=_since(before.cpu_calm_since, now, is_true=is_calm),
    )


def _since(before: float | None, now: float, *, is_true: bool) -> float | None:
    """Return since when a condition holds; None while it does not."""
    if not is_true:
        return None
    return now if before is None else before


def _lasts(since: float | None, now: float, seconds: float) -> bool:
    return since is not None and now - since >= seconds


def _decide_gaming(seen: Activity, signals: Signals, now: float) -> str:
    """Return why this is gaming; empty when it is not."""
    if named := name_game(signals):
        return named
    if _lasts(seen.graphics_since, now, GRAPHICS_SECONDS):
        return f"{signals.graphics_process or 'a program'} draws on the GPU"
    if seen.mode != "gaming" or seen.game_at is None:
        return ""
    quiet = now - seen.game_at
    return f"a game ran {quiet:.0f} s ago" if quiet < GAMING_QUIET_SECONDS else ""


def _decide_work(seen: Activity, signals: Signals, now: float) -> str:
    """Return why this is work; empty when it is not."""
    idle = None if seen.input_at is None else now - seen.input_at
    if idle is not None and idle < INPUT_RECENT_SECONDS:
        return f"input {idle:.0f} s ago"
    if _lasts(seen.cpu_busy_since, now, CPU_BUSY_SECONDS):
        return f"other programs use {signals.foreign_cpu_ratio or 0:.0%} of the CPU"
    if seen.mode != "work":
        return ""
    if idle is not None and idle < INPUT_IDLE_SECONDS:
        return f"input {idle:.0f} s ago"
    if not _lasts(seen.cpu_calm_since, now, CPU_CALM_SECONDS):
        return "other programs used the CPU a moment ago"
    return ""


def _decide_battery(seen: Activity, signals: Signals, now: float) -> Activity:
    """Enter battery operation at once; leave it after a delay, also if it becomes unknown."""
    if signals.is_on_battery:
        return replace(seen, is_on_battery=True, battery_at=now)
    if seen.battery_at is None or now - seen.battery_at >= BATTERY_LEAVE_SECONDS:
        return replace(seen, is_on_battery=False, battery_at=None)
    return seen
