"""File systems that fail: each is read for itself, and the model's disk is always told."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path

from fleet_exporters.collectors.disk import LIST_SECONDS, Disk, Mount
from fleet_exporters.reading.family import take
from fleet_exporters.sample import Dropped

NOBODY = 65534


@contextmanager
def not_root():
    """Do what is inside as a user whom permissions bind."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def mounts(samples):
    """Return where the file systems of these samples are mounted."""
    return [s.labels["mount"] for s in samples if s.name == "fleet_disk_free_bytes"]


def test_mount_in_a_closed_folder_leaves_the_others(tmp_path):
    """A mount that the exporter's user may not reach is named; the root is read."""
    closed, usb = tmp_path / "closed", tmp_path / "closed" / "usb"
    usb.mkdir(parents=True)
    closed.chmod(0)

    with not_root():
        reading = take(Disk([Path("/")], lambda: [str(usb)]).read, lambda: 0.0)
    closed.chmod(0o700)

    assert mounts(reading.samples) == ["/"]
    assert reading.dropped == (Dropped(str(usb), "Permission denied"),)
    assert reading.problem is None


def fail(path):
    raise OSError(errno.EIO, os.strerror(errno.EIO), path)


def test_dying_drive_leaves_the_others():
    """A drive that answers with an error is named; the model's disk is told."""

    def mount(path):
        return Mount(path, 1, 5, 10) if path == "/model" else fail(path)

    reading = take(Disk([], lambda: ["/mnt/usb", "/model"], mount).read, lambda: 0.0)

    assert mounts(reading.samples) == ["/model"]
    assert reading.dropped == (Dropped("/mnt/usb", "Input/output error"),)
    assert reading.problem is None


def test_room_for_models_is_told():
    """Where the model's disk is known its free space is a series of its own, else there is none."""
    mounted = {"/": Mount("/", 1, 5, 10), "/model": Mount("/model", 2, 7, 10)}

    def read(model_mount):
        family = Disk([], lambda: list(mounted), mounted.get, model_mount=model_mount)
        return [s.value for s in family.read() if s.name == "fleet_model_disk_free_bytes"]

    assert (read("/model"), read("/"), read(""), read("/gone")) == ([7], [5], [], [])


def test_list_that_fails_leaves_the_watched_disks():
    """The model's disk is told though nobody knows what else is mounted."""

    def partitions():
        raise PermissionError(errno.EACCES, "Permission denied")

    reading = take(Disk([Path("/")], partitions).read, lambda: 0.0)

    assert mounts(reading.samples) == ["/"]
    assert reading.dropped == (Dropped("list of mounts", "Permission denied"),)


def test_mount_that_comes_later_is_found_within_a_minute():
    """The list is read once a minute, each mount at each reading."""
    now, listed = [0.0], iter([["/a"], ["/a", "/b"]])
    disk = Disk(
        [], lambda: next(listed), lambda path: Mount(path, ord(path[1]), 5, 10), lambda: now[0]
    )

    found = []
    for now[0] in (0.0, LIST_SECONDS - 1, LIST_SECONDS):
        found.append(mounts(disk.read()))

    assert found == [["/a"], ["/a"], ["/a", "/b"]]


def test_family_is_broken_when_no_mount_answers():
    """Drives that all fail are no machine without a file system."""
    reading = take(Disk([], lambda: ["/mnt/usb"], fail).read, lambda: 0.0)

    assert "/mnt/usb: Input/output error" in str(reading.problem)
