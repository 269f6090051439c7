"""
Read the space of real file systems, and of those that hold the model and the home.

By hand: `df --block-size=1 --local`. Network file systems are left out: asking one whose server
is gone would hang the tick.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fleet_exporters.collectors.members import read_each, split_dropped
from fleet_exporters.errors import NoDevice
from fleet_exporters.sample import Dropped, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


LIST_SECONDS = 60.0  # how often we look for what was mounted since


@dataclass(frozen=True)
class Mount:
    """A mounted file system; two mounts of one device number are one."""

    path: str
    device: int
    free_bytes: int
    total_bytes: int


def find_mount(path: Path) -> str:
    """Return the mount point that holds `path`, which need not exist yet."""
    path = path.absolute()
    while not os.path.ismount(path) and path != path.parent:
        path = path.parent
    return str(path)


def read_partitions() -> list[str]:
    """Return mount points of local, writable file systems on block devices."""
    return [
        part.mountpoint
        for part in psutil.disk_partitions(all=False)
        # Read-only images (snap, CD) are always full, by design.
        if "ro" not in part.opts.split(",")
    ]


def read_mount(path: str) -> Mount | None:
    """Return the space at a mount point; None if it is a file, or has just been unmounted."""
    try:
        status = Path(path).stat()
        if not stat.S_ISDIR(status.st_mode):
            return None  # containers mount single files, such as /etc/hosts
        usage = psutil.disk_usage(path)
    except FileNotFoundError:
        return None
    return Mount(path, status.st_dev, usage.free, usage.total)


def parse(mounts: Iterable[Mount | Dropped]) -> Iterator[Sample | Dropped]:
    """Yield free and total bytes of each device once, under its first mount point."""
    found, dropped = split_dropped(mounts)
    by_device: dict[int, Mount] = {}
    for mount in found:
        if mount.total_bytes:
            by_device.setdefault(mount.device, mount)
    if not by_device and not dropped:
        raise NoDevice("no local file system with a size; df --local lists them")
    yield from dropped
    for mount in by_device.values():
        labels = {"mount": mount.path}
        yield Sample("fleet_disk_free_bytes", labels, mount.free_bytes)
        yield Sample("fleet_disk_total_bytes", labels, mount.total_bytes)


class Disk:
    """Knows the paths whose file systems count even where they are no block devices (overlay)."""

    def __init__(
        self,
        watched: Sequence[Path],
        partitions: Callable[[], list[str]] = read_partitions,
        mount: Callable[[str], Mount | None] = read_mount,
        clock: Callable[[], float] = time.monotonic,
        model_mount: str = "",
    ) -> None:
        """`model_mount` is where the model's file system is mounted; empty where there is none."""
        self._model_mount = model_mount
        self._watched = [find_mount(path) for path in watched]
        self._partitions = partitions
        self._mount = mount
        self._clock = clock
        self._paths: list[str] = []
        self._list_due = float("-inf")

    def read(self) -> Iterator[Sample | Dropped]:
        """Yield the space of every file system; the watched ones name the device."""
        if self._clock() >= self._list_due:
            self._list_due = self._clock() + LIST_SECONDS
            listed, dropped = split_dropped(
                read_each(["list of mounts"], lambda _: self._partitions())
            )
            yield from dropped
            self._paths = list(dict.fromkeys([*self._watched, *listed]))
        # What was unmounted since is a folder of another mount, and counts once with it.
        yield from parse(read_each(self._paths, self._read_path))
        if self._model_mount:
            # One that cannot be read is among those dropped above.
            found, _ = split_dropped(read_each([self._model_mount], self._read_path))
            for mount in found:
                yield Sample("fleet_model_disk_free_bytes", {}, mount.free_bytes)

    def _read_path(self, path: str) -> Iterator[Mount]:
        mount = self._mount(path)
        if mount is not None:
            yield mount
