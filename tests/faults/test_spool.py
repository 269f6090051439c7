"""The disk fails: what is lost is the oldest, and counted; what is there comes in order."""

from __future__ import annotations

import errno
import json
import os
import zlib
from dataclasses import replace

import pytest
from fleet_exporters.sinks.database.frames import pack, parse_header, unpack
from fleet_exporters.sinks.database.segments import Limits, Segments
from fleet_exporters.sinks.database.spool import Spool
from readings import ROWS, batch

SMALL = Limits(segment_ticks=5)


class Clock:
    """Monotonic seconds and the wall's, each set by the test."""

    def __init__(self):
        self.monotonic, self.wall = 100.0, batch(0).time.timestamp()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def reopen(spool_folder, clock):
    """Open the folder as a new exporter does."""

    def open_again(limits=SMALL, **options):
        return Segments(
            spool_folder, limits, clock=lambda: clock.monotonic, now=lambda: clock.wall, **options
        )

    return open_again


def fill(segments, numbers):
    for number in numbers:
        segments.append(number, batch(number))


def read_all(segments):
    """Take everything out; return the numbers of the ticks in their order."""
    found = []
    while head := segments.peek(7):
        found += [int(taken.rows["hardware"][0][5]) for _, taken in head]
        segments.remove(head[-1][0])
    return found


def files(folder):
    return sorted(folder.glob("*.ticks"))


def test_rows_come_back_as_they_were():
    """A frame holds all values and types of a tick."""
    frame = pack(batch(3))
    header = parse_header(frame)

    assert unpack(header, frame[-header.length :]) == batch(3)


def test_ticks_outlive_a_killed_program(reopen, spool_folder):
    """Nothing was closed or synced, and another program finds every tick in order."""
    fill(reopen(), range(1, 13))
    found = reopen()

    assert (found.rows, found.oldest) == (12 * ROWS, batch(1).time.timestamp())
    assert read_all(found) == list(range(1, 13))
    assert files(spool_folder) == []


@pytest.mark.parametrize("kept", [0, 10, 30, -1], ids=["none", "header", "rows", "last-byte"])
def test_torn_end_costs_the_torn_tick(reopen, spool_folder, kept):
    """A power cut in the middle of a write loses that tick; new ones go to a new file."""
    fill(reopen(), range(1, 4))
    (path,) = files(spool_folder)
    whole = path.stat().st_size - len(pack(batch(3)))
    os.truncate(path, path.stat().st_size - 1 if kept < 0 else whole + kept)
    found = reopen()
    fill(found, range(3, 6))

    assert read_all(found) == [1, 2, 3, 4, 5]
    assert found.dropped["damaged"] == (ROWS if kept in (30, -1) else 0)


def test_damaged_tick_is_lost_alone(reopen, spool_folder):
    """A bit that flipped on the card costs one tick, counted once, and what follows is read."""
    fill(reopen(), range(1, 10))
    content = bytearray(files(spool_folder)[0].read_bytes())
    content[len(pack(batch(1))) + 40] ^= 1
    files(spool_folder)[0].write_bytes(content)
    found = reopen()

    assert read_all(found) == [1, *range(3, 10)]
    assert (found.dropped["damaged"], found.rows) == (ROWS, 0)


def test_file_that_somebody_removed_is_counted(reopen, spool_folder):
    """Rows whose file is gone hold up nothing."""
    segments = reopen()
    fill(segments, range(1, 9))
    files(spool_folder)[0].unlink()

    assert read_all(segments) == [6, 7, 8]
    assert segments.dropped["damaged"] == 5 * ROWS


def test_full_spool_drops_its_oldest_files(reopen):
    """Past the bound whole files go, oldest first; nothing else is lost."""
    segments = reopen(replace(SMALL, bytes_max=12 * len(pack(batch(1)))))
    fill(segments, range(1, 31))
    rows = segments.rows
    found = read_all(segments)

    assert found == list(range(31 - len(found), 31))
    assert 7 <= len(found) <= 12
    assert rows + segments.dropped["full"] == 30 * ROWS


def test_full_disk_drops_the_oldest_and_counts(small_disk, clock):
    """Somebody fills the disk: the newest rows are kept, and none is lost in silence."""
    folder, write = small_disk
    segments = Segments(folder / "spool", SMALL, clock=lambda: clock.monotonic, write=write)
    count = 300
    fill(segments, range(1, count + 1))
    rows = segments.rows
    found = read_all(segments)

    assert found == list(range(count + 1 - len(found), count + 1))
    assert 0 < len(found) < count
    assert rows + segments.dropped["full"] == count * ROWS


def test_disk_that_cannot_be_written_leaves_rows_in_memory(reopen, caplog):
    """A card that went read-only costs nothing at first; when it is back rows move there."""
    is_broken = True

    def write(handle, data):
        if is_broken:
            raise OSError(errno.EROFS, "Read-only file system")
        return os.write(handle, data)

    disk = reopen(write=write)
    spool = Spool(disk)
    for number in range(10):
        spool.put(batch(number))
        spool.settle()
    during = (disk.rows, spool.rows)
    is_broken = False
    spool.settle()

    assert (during, disk.rows, spool.rows) == ((0, 10 * ROWS), 10 * ROWS, 10 * ROWS)
    assert read_all(disk) == list(range(10))
    assert caplog.messages == ["spool cannot be written; rows wait in memory"]


def test_half_written_tick_leaves_no_trace(reopen):
    """A disk that is full in the middle of a tick is not left with half of it."""
    room = [len(pack(batch(1))) + 50]

    def write(handle, data):
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(handle, data[: room[0]])
        room[0] -= written
        return written

    segments = reopen(write=write)
    segments.append(1, batch(1))
    with pytest.raises(OSError, match="No space"):
        segments.append(2, batch(2))

    assert read_all(reopen()) == [1]


def test_rows_of_yesterday_are_dropped(reopen, clock):
    """After twenty hours a file is of no use, and its rows are counted."""
    segments = reopen()
    fill(segments, range(1, 6))
    clock.monotonic += 19 * 3600
    fill(segments, range(6, 8))
    clock.monotonic += 3601
    segments.expire()

    assert read_all(segments) == [6, 7]
    assert segments.dropped["old"] == 5 * ROWS


def test_machine_that_was_off_drops_what_is_too_old(reopen, clock):
    """The age of what an earlier run has left goes by its readings."""
    fill(reopen(), range(1, 6))
    clock.wall += 21 * 3600
    clock.monotonic = 1.0
    segments = reopen()
    segments.expire()

    assert (segments.rows, segments.dropped["old"]) == (0, 5 * ROWS)


@pytest.mark.parametrize("step", [86_400, -3600], ids=["day-forward", "hour-back"])
def test_stepping_clock_loses_nothing(reopen, clock, step):
    """A wall clock that jumps makes no waiting row old, and keeps their order."""
    segments = reopen()
    fill(segments, range(1, 4))
    clock.wall += step
    segments.expire()
    fill(segments, range(4, 6))
    segments.expire()

    assert read_all(segments) == [1, 2, 3, 4, 5]
    assert sum(segments.dropped.values()) == 0


def test_rows_of_an_older_version_still_fit():
    """A column that came with an update is NULL in rows that waited through it."""
    tick = batch(1)
    header = parse_header(pack(tick))
    (row,) = tick.rows["hardware"]
    content = json.loads(zlib.decompress(pack(tick)[-header.length :]))
    hardware = content["tables"]["hardware"]
    hardware["columns"] = [*hardware["columns"][:-1], "column_of_old"]
    payload = zlib.compress(json.dumps(content).encode())
    found = unpack(header._replace(crc=zlib.crc32(payload)), payload)

    assert found.rows["hardware"] == [(*row[:-1], None)]
