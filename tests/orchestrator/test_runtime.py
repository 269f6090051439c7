"""The small files through which the programs of one node tell each other how things stand."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from fleet_orchestrator import runtime

NOW = datetime.now(UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.json"


def content(**changes):
    return json.dumps({"version": 1, "time": NOW.isoformat(), "mode": "idle"} | changes)


def test_what_is_written_is_read(path):
    """A file carries its version, its time and what it is about."""
    runtime.write(path, {"mode": "gaming"})

    read = runtime.read(path, datetime.now(UTC))

    assert (read["mode"], read["version"]) == ("gaming", 1)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"idle"',
        "{}",
        content(version=2),
        content(time="yesterday"),
        content(time=None),
        content(time="2026-01-01T00:00:00"),
        content(time=(NOW - timedelta(seconds=31)).isoformat()),
        '{"version": 1, "mode": "idle"}',
        "\x00\x01",
    ],
    ids=["empty", "half", "list", "null", "text", "no fields", "version", "bad time", "no time",
         "time without zone", "stale", "time missing", "binary"],
)  # fmt: skip
def test_unusable_file_says_nothing(path, text):
    """Broken, stale, or of another version: as if there were none."""
    path.write_text(text)

    assert runtime.read(path, NOW) is None


def test_missing_file_says_nothing(path):
    """Before the other program has started there is no file."""
    assert runtime.read(path, NOW) is None


def test_age_does_not_matter_to_who_says_so(path):
    """Settings hold until they are replaced."""
    path.write_text(content(time=(NOW - timedelta(days=3)).isoformat()))

    assert runtime.read(path, NOW, stale=None)["mode"] == "idle"


def test_two_threads_may_write_one_file(path):
    """Writers do not trip over each other, and a reader never sees half a file."""
    barrier, failures = threading.Barrier(4), []

    def write(number):
        barrier.wait(10)
        try:
            for _ in range(50):
                runtime.write(path, {"mode": str(number) * 500})
                assert runtime.read(path, datetime.now(UTC)) is not None
        except (OSError, AssertionError) as exc:
            failures.append(exc)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
