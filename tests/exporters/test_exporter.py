"""The tick, its schedule, its settings, and the program as a whole."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fleet_exporters.catalogue import CATALOGUE
from fleet_exporters.collectors import make_families
from fleet_exporters.decision.activity import Signals
from fleet_exporters.decision.verdict import Decider
from fleet_exporters.exporter import AFTER_READERS, Exporter, next_due
from fleet_exporters.reading.sampler import Sampler
from fleet_exporters.sample import Sample
from fleet_exporters.settings import from_env, parse_address
from fleet_exporters.sinks.state import StateFile
from fleet_timescale.errors import SettingsError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
README = Path(__file__).parents[2] / "exporters" / "README.md"


def hot_families():
    """Return a machine with one hot sensor."""
    return {
        "temperatures": lambda: [Sample("fleet_cpu_temperature_celsius", {"sensor": "die"}, 84.0)]
    }


def make_exporter(sinks):
    """Return an exporter of a hot machine."""
    return Exporter(Sampler(hot_families()), sinks, list, lambda: 0.0)


@pytest.mark.parametrize(
    ("now", "expected"),
    [(100.0, (105.0, 0)), (104.9, (105.0, 0)), (105.0, (105.0, 0)), (112.0, (115.0, 2))],
    ids=["at-once", "slow", "just-in-time", "overrun"],
)
def test_ticks_stay_on_the_grid(now, expected):
    """A late tick does not shift the next ones; ticks whose time went by are missed."""
    assert next_due(100.0, 5.0, now) == expected


def test_ticks_come_just_after_the_background_readers():
    """The first at once, the next on the grid that the readers wake on, and a little later."""
    clock = Clock(100.0, seconds=12)
    exporter = Exporter(Sampler({}), {"page": clock.note}, list, clock.now)

    exporter.run(5.0, list, clock)

    assert clock.noted == [100.0, 105.0 + AFTER_READERS, 110.0 + AFTER_READERS]


def test_counters_are_read_before_each_tick():
    """No page is without what the worker has counted so far."""
    order, clock = [], Clock(0.0, seconds=6)
    exporter = Exporter(Sampler({}), {"page": lambda _: order.append("page")}, list, clock.now)

    exporter.run(5.0, lambda: order.append("counters"), clock)

    assert order == ["counters", "page"] * 2


class Clock:
    """A clock that waiting moves on, and the event that ends the loop after some seconds."""

    def __init__(self, start, seconds):
        self.time, self.end, self.noted = start, start + seconds, []

    def now(self):
        return self.time

    def note(self, _):
        self.noted.append(self.time)

    def wait(self, seconds):
        self.time += seconds

    def is_set(self):
        return self.time >= self.end


def test_tick_says_how_late_it_is():
    """Lateness is a metric of the tick that was late."""
    tick = make_exporter({}).tick(1.25, NOW)

    assert Sample("fleet_tick_late_seconds", {}, 1.25) in tick.samples


def test_heat_is_decided_and_published():
    """A hot sensor becomes mode and factor on the page: one mode is 1, the others 0."""
    tick = make_exporter({}).tick(0, NOW)

    modes = {
        sample.labels["mode"]: sample.value
        for sample in tick.samples
        if sample.name == "fleet_activity_mode"
    }
    assert modes == {"idle": 0, "work": 0, "gaming": 0, "throttling": 1}
    assert Sample("fleet_throttle_factor", {}, 0.0) in tick.samples
    assert Sample("fleet_throttle_limit", {"limit": "heat"}, 1.0) in tick.samples
    assert Sample("fleet_throttle_limit", {"limit": "gaming"}, 0.0) in tick.samples


def test_game_does_not_wait_for_the_tick():
    """A game known by name reaches the worker at the next look; the page has it at the tick."""
    clock, state, page = Clock(0.0, seconds=7), [], []

    def note(tick):
        state.append((clock.time, tick.verdict.mode, tick.verdict.throttle_factor))

    def read_signals():
        return Signals(listed_game="doom" if clock.time >= 1.2 else "")

    exporter = Exporter(
        Sampler(hot_families()),
        {"page": lambda tick: page.append((clock.time, tick.verdict.mode)), "state": note},
        list,
        clock.now,
        Decider(read_signals, clock=clock.now),
    )

    exporter.run(5.0, list, clock)

    assert state == [(0.0, "throttling", 0.0), (1.5, "gaming", 0.0), (5.1, "gaming", 0.0)]
    assert page == [(0.0, "throttling"), (5.1, "gaming")]


def test_failing_sink_does_not_stop_the_others(caplog):
    """A sink that cannot write is logged once; the others get every tick."""
    seen = []

    def fail(tick):
        raise OSError("disk full")

    exporter = make_exporter({"state": fail, "page": seen.append})
    exporter.tick(0, NOW)
    exporter.tick(0, NOW)

    assert len(seen) == 2
    assert caplog.messages == ["sink cannot take readings"]


def test_worker_reads_the_state(tmp_path):
    """state.json says mode, factor, reason, temperatures and when, and is replaced as a whole."""
    make_exporter({"state": StateFile(tmp_path).publish}).tick(0, NOW)

    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    assert json.loads((tmp_path / "state.json").read_text()) == {
        "version": 1,
        "time": "2026-01-02T03:04:05+00:00",
        "mode": "throttling",
        "throttle_factor": 0.0,
        "reason": "die is hot (84 °C)",
        "temperatures": {"die": 84.0},
        "must_cut": False,
        "limits": ["heat"],
        "signals": asdict(Signals()),
    }


@pytest.fixture
def environ(tmp_path):
    (tmp_path / "dsn").write_text("postgresql://nobody@127.0.0.1:1/none")
    return {
        "FLEET_LISTEN": "127.0.0.1:0",
        "FLEET_NODE": "alpha",
        "FLEET_RUNTIME_DIR": str(tmp_path),
        "FLEET_DATABASE_URL_FILE": str(tmp_path / "dsn"),
        "FLEET_MODEL_PATH": "",
    }


def test_settings_are_read_once(environ, tmp_path):
    """An empty model path is none; the root is watched in any case."""
    settings = from_env(environ)

    assert (settings.node, settings.port, settings.tick_seconds) == ("alpha", 0, 5)
    assert (settings.watched, settings.model) == ((Path("/"),), None)
    assert from_env(environ | {"FLEET_MODEL_PATH": "/m.gguf"}).model == Path("/m.gguf")
    assert "postgresql" not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"FLEET_NODE": ""}, "FLEET_NODE is not set"),
        ({"FLEET_LISTEN": "9100"}, "must be HOST:PORT, not '9100'"),
        ({"FLEET_TICK_SECONDS": "0"}, "must be from 0.1 to 60, not 0"),
        ({"FLEET_RUNTIME_DIR": "/nowhere"}, "/nowhere is not a directory"),
        (
            {"FLEET_HARDWARE_MONITOR_URL": "https://x"},
            "must begin with http://, not be 'https://x'",
        ),
    ],
)
def test_bad_settings_name_the_variable(environ, changes, message):
    """A setting that cannot be used is one sentence with its name and value."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        from_env(environ | changes)


def test_address_may_be_ipv6():
    """Brackets keep the colons of an address apart from its port."""
    assert parse_address("[::1]:9100") == ("::1", 9100)


@pytest.fixture
def program(environ, database):
    """The real program, ticking ten times a second, with its database."""
    Path(environ["FLEET_DATABASE_URL_FILE"]).write_text(database.dsn("alpha"))
    command = [
        sys.executable,
        "-c",
        "import sys; from fleet_exporters.cli import main; sys.exit(main([]))",
    ]
    running = subprocess.Popen(
        command,
        env=environ | {"FLEET_TICK_SECONDS": "0.1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    yield running
    running.kill()
    running.communicate()


def test_program_serves_stores_and_ends(program, owner):
    """It says where it listens, has a page of this machine, and stores its rows before it ends."""
    port = json.loads(program.stderr.readline())["port"]
    while (page := fetch(port)) is None:
        assert program.poll() is None
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=5)

    assert program.returncode == 0
    assert 'fleet_collector_up{collector="memory"} 1.0' in page
    found = owner.execute(
        "SELECT memory_total_bytes AS bytes, mode FROM telemetry.hardware ORDER BY time LIMIT 1"
    ).fetchone()
    assert found["bytes"] > 0
    assert found["mode"] == "idle"


def fetch(port):
    """Return the page; None while there is none yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as answer:
        answer.close()
        return None


def test_every_family_and_metric_is_documented():
    """README has a row for each collector and each metric, and none that is gone."""
    rows = set(re.findall(r"^\| `([a-z_0-9]+)`", README.read_text(), re.MULTILINE))

    assert rows == {*CATALOGUE, *make_families([])}
