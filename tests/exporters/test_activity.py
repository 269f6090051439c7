"""What the owner is doing, replayed from traces on a fake clock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fleet_exporters.decision.activity import Activity, Signals, decide_activity, merge
from fleet_exporters.decision.verdict import Decider

TRACES = sorted((Path(__file__).parent / "fixtures" / "activity").glob("*.jsonl"))
TICK = 5


def replay(path):
    """Return the wanted and the actual (second, mode, factor) of each change."""
    header, *changes = [json.loads(line) for line in path.read_text().splitlines()]
    now, signals, seen = [0], {}, []
    decider = Decider(lambda: Signals(**signals), clock=lambda: now[0])
    for now[0] in range(0, header["seconds"], TICK):
        while changes and changes[0]["at"] <= now[0]:
            signals |= {key: value for key, value in changes.pop(0).items() if key != "at"}
        verdict = decider.decide([])
        state = [verdict.mode, verdict.throttle_factor]
        if not seen or seen[-1][1:] != state:
            seen.append([now[0], *state])
    assert changes == [], "the trace is longer than it says"
    return header["transitions"], seen


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_trace(path):
    """Modes and factors change when, and only when, the trace says so."""
    wanted, seen = replay(path)

    assert seen == wanted


def test_there_are_traces():
    """The folder is found."""
    assert len(TRACES) > 10


@pytest.mark.parametrize(
    ("signals", "reason"),
    [
        (Signals(gamemode_games=2), "gamemode has 2 game(s)"),
        (Signals(steam_game="app 440"), "Steam runs app 440"),
        (Signals(listed_game="doom"), "doom runs"),
        (Signals(is_full_screen=True), "a program owns the screen"),
        (Signals(input_idle_seconds=3), "input 3 s ago"),
        (Signals(foreign_cpu_ratio=0.1), "nobody needs the machine"),
        (Signals(), "no activity signal is known on this machine"),
    ],
)
def test_reason_names_what_decided(signals, reason):
    """Who looks at the node reads why it is held back."""
    assert decide_activity(Activity(), signals, 0).reason == reason


def test_mode_says_since_when():
    """The beginning of a mode stays while it lasts."""
    first = decide_activity(Activity(), Signals(gamemode_games=1), 10)
    second = decide_activity(first, Signals(gamemode_games=1), 15)

    assert (first.since, second.since) == (10, 10)


def test_unknown_signals_are_listed():
    """What nobody can tell is named; a no is not unknown."""
    unknown = Signals(gamemode_games=0, is_full_screen=False).unknown

    assert "steam_game" in unknown
    assert {"gamemode_games", "is_full_screen"}.isdisjoint(unknown)


def test_sources_are_merged():
    """Of two idle times the shorter is true; what one source does not know another may."""
    parts = [Signals(input_idle_seconds=300), Signals(input_idle_seconds=5, is_interactive=False)]

    assert merge(parts) == Signals(input_idle_seconds=5, is_interactive=False)
