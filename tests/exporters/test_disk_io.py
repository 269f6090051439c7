"""Drives: what they have read and written, and how long they were busy."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fleet_exporters.collectors.disk_io import (
    DiskIo,
    Drive,
    find_drives,
    parse,
    parse_line,
    read_counters,
)
from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Dropped, Sample


def counters(**changes):
    """Return what psutil says of one drive."""
    fields = {
        "read_count": 10,
        "write_count": 20,
        "read_bytes": 4096,
        "write_bytes": 8192,
        "busy_time": 1500,
    }
    return SimpleNamespace(**fields | changes)


def values(samples):
    """Return value by metric and device."""
    return {(sample.name, sample.labels["device"]): sample.value for sample in samples}


def test_busy_time_is_in_seconds():
    """The kernel counts milliseconds."""
    found = values(parse({"sda": counters()}, {"sda"}))

    assert found == {
        ("fleet_disk_read_bytes_total", "sda"): 4096,
        ("fleet_disk_written_bytes_total", "sda"): 8192,
        ("fleet_disk_reads_total", "sda"): 10,
        ("fleet_disk_writes_total", "sda"): 20,
        ("fleet_disk_busy_seconds_total", "sda"): 1.5,
    }


def test_partitions_and_mappers_are_not_counted_again(tmp_path):
    """What a partition or an encrypted volume reads, its drive reads."""
    for name in ("nvme0n1", "dm-0", "loop0", "zram0"):
        (tmp_path / name).mkdir()
    seen = dict.fromkeys(("nvme0n1", "nvme0n1p1", "dm-0", "loop0", "zram0"), counters())
    found = values(parse(seen, find_drives(tmp_path)))

    assert {device for _, device in found} == {"nvme0n1"}


def test_system_without_busy_time():
    """Windows does not count it: the metric is absent, the others are there."""
    drive = counters()
    del drive.busy_time
    found = values(parse({"PhysicalDrive0": drive}, None))

    assert ("fleet_disk_busy_seconds_total", "PhysicalDrive0") not in found
    assert found["fleet_disk_reads_total", "PhysicalDrive0"] == 10


def test_new_drive_is_found():
    """A drive that is plugged in later shows at the next tick."""
    seen = [{"sda": counters()}, {"sda": counters(), "sdb": counters()}]
    listed = iter([{"sda"}, {"sda", "sdb"}])
    family = DiskIo(lambda: seen.pop(0), lambda: next(listed))

    found = [{sample.labels["device"] for sample in family.read()} for _ in range(2)]

    assert found == [{"sda"}, {"sda", "sdb"}]


DISKSTATS = {
    "sda": "8 0 sda 10 1 8 5 20 2 16 6 0 1500 11",
    "sdb": "8 16 sdb 10 1 8",
}


def test_line_of_the_kernel():
    """Sectors are of 512 bytes."""
    assert parse_line(DISKSTATS["sda"]) == Drive(10, 4096, 20, 8192, 1500)


def test_drive_that_cannot_be_read_leaves_the_others():
    """A torn line is that of one drive."""
    found = list(DiskIo(lambda: DISKSTATS, lambda: {"sda", "sdb"}).read())

    assert {item.labels["device"] for item in found if isinstance(item, Sample)} == {"sda"}
    assert [item.what for item in found if isinstance(item, Dropped)] == ["sdb"]


def test_drives_of_this_machine():
    """Every line of the real list can be read."""
    lines = read_counters()

    assert all(parse_line(line).busy_time >= 0 for line in lines.values())


def test_no_drive_is_no_device():
    """A container sees no drive."""
    with pytest.raises(NoDevice, match="no physical drive"):
        list(parse({"loop0": counters()}, set()))
