"""All sources of activity signals together: what is known of the owner at a tick."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from fix_fleet import wait_until
from fleet_exporters.decision.activity import Signals
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.signals.sources import Source, Watch, make_sources


def source(name, read):
    return Source(name, read, 5, "by hand")


def fail():
    raise SensorError("bus")


def absent():
    raise NoDevice("none")


@pytest.fixture
def watch():
    """Start a watch over these sources and wait until each has answered once."""
    stop = threading.Event()

    def start(*sources):
        answered = [threading.Event() for _ in sources]
        watch = Watch(
            tuple(
                replace(each, read=lambda each=each, done=done: tell_after(each.read, done))
                for each, done in zip(sources, answered, strict=True)
            )
        )
        watch.start(stop)
        assert all(done.wait(10) for done in answered)
        return watch

    yield start
    stop.set()


def tell_after(read, done):
    """Read, and say so."""
    try:
        return read()
    finally:
        done.set()


def wait_for(watch, wanted):
    """Wait until the watch knows this; an answer is kept a moment after it was given."""
    wait_until(lambda: watch.read() == wanted, str(wanted), seconds=10)


def test_watch_merges_what_is_known(watch, caplog):
    """One source broken, one absent: the third counts, and the broken one is told once."""
    made = watch(source("a", fail), source("b", absent), source("c", lambda: Signals(1)))

    wait_for(made, Signals(gamemode_games=1))
    wait_until(lambda: made.read() and caplog.messages, "the broken source is told")
    made.read()

    assert caplog.messages == ["activity source fails"]


def test_hung_source_delays_nobody():
    """The tick gets what the others know while one source hangs."""
    go_on, hanging = threading.Event(), threading.Event()

    def hang():
        hanging.set()
        go_on.wait(20)
        return Signals()

    made = Watch((source("hung", hang), source("c", lambda: Signals(1))))
    made.start(go_on)
    assert hanging.wait(10)

    wait_for(made, Signals(gamemode_games=1))
    go_on.set()


def test_sources_of_this_machine_answer():
    """The real sources, asked once: each tells something, or why it cannot."""
    for each in make_sources(frozenset({"doom"}), lambda: [1]):
        assert each.by_hand
        try:
            signals = each.read()
        except (NoDevice, SensorError) as exc:
            assert str(exc)  # noqa: PT017 - both ways are right, on different machines
        else:
            assert isinstance(signals, Signals)
