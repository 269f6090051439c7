"""What people are told of the space that readings take."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from fleet_timescale.storage import Level, Sizes, read_sizes, render, render_bytes, render_json

DROP = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
RAW = Level("gpu", "raw", "26:00:00", 4_200_000, 12_000_000, 1_234_567, 1.04, 17_280.0,
            5_100_000_000, 180_000, DROP, 999)  # fmt: skip
NEW = Level("gpu", "hour", None, 16_384, 0, 0, None, None, None, None, None, None)


def test_level_is_one_line():
    """Each level has its line, the sums follow, and what is not known is a dash."""
    lines = [" ".join(line.split()) for line in render(Sizes((RAW, NEW), 30_000_000)).splitlines()]

    assert lines == [
        "table level rows days size saved a month when full next drop",
        "gpu raw 1 234 567 1.0 4.2 MB 12.0 MB 5.1 GB 180.0 kB 2026-03-04 05:06 999 B",
        "gpu hour 0 - 16.4 kB 0 B - - -",
        "together 1 234 567 4.2 MB 12.0 MB 5.1 GB",
        "The whole database, conversations included, takes 30.0 MB.",
    ]


def test_programs_get_all_of_it():
    """The same as JSON, with every number as it is."""
    answer = json.loads(render_json(Sizes((RAW,), 7)))

    assert answer["database_bytes"] == 7
    assert answer["levels"][0]["month_bytes"] == RAW.month_bytes
    assert answer["levels"][0]["next_drop_at"] == "2026-03-04T05:06:00+00:00"


def test_sizes_are_those_of_the_database(owner):
    """Every level of every table is measured, and together they are less than all there is."""
    sizes = read_sizes(owner)

    found = {(level.table_name, level.level) for level in sizes.levels}
    assert found >= {("gpu", "raw"), ("gpu", "minute"), ("gpu", "hour"), ("events", "raw")}
    assert 0 < sum(level.bytes for level in sizes.levels) < sizes.database_bytes


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (2.5e12, "2.5 TB"),
        (3e15, "3000.0 TB"),
    ],
)
def test_bytes_are_rendered(size, text):
    """Powers of 1000, as disks are sold."""
    assert render_bytes(size) == text
