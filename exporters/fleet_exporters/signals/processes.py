"""
Read all processes once: who runs what, whose child it is, how much CPU it has used.

Own reading of /proc, since psutil takes a millisecond a process; psutil where there is no /proc.
By hand: `ps -eo pid,ppid,time,args`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import psutil

from fleet_exporters.errors import NoDevice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

PROC = "/proc"
KERNEL_THREAD = 0x200000  # PF_KTHREAD of the kernel's flags; they never run a program
READ_BYTES = 65536  # more arguments or environment than this is not looked at
SCANS_APART = 30  # at the latest after so many a process is looked at again: half a minute
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Process:
    """One process; its CPU time includes that of children it has waited for."""

    pid: int
    parent: int
    cpu_seconds: float
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The program's file name; Wine's begins with a drive and has backslashes."""
        return self.arguments[0].replace("\\", "/").rsplit("/", 1)[-1] if self.arguments else ""


def read_file(path: str) -> bytes:
    """Return the beginning of a small file; a scan reads some hundreds, so by bare calls."""
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.read(handle, READ_BYTES)
    finally:
        os.close(handle)


class Stat(NamedTuple):
    """What /proc/<pid>/stat says; `program` differs after an exec, and for another process."""

    parent: int
    cpu_seconds: float
    program: tuple[bytes, ...]
    is_kernel: bool


def parse_stat(text: bytes) -> Stat:
    """Return the fields that we need (proc(5)); a name may hold spaces and brackets."""
    end = text.rindex(b")")
    fields = text[end + 2 :].split(None, 26)
    seconds = sum(map(int, fields[11:15])) / TICKS_PER_SECOND
    # Name, state "zombie", start of the process, place of its stack: where the last is hidden (0),
    # the name tells of an exec.
    program = (text[:end], b"Z" if fields[0] == b"Z" else b"", fields[19], fields[25])
    return Stat(int(fields[1]), seconds, program, bool(int(fields[6]) & KERNEL_THREAD))


def parse_arguments(text: bytes) -> tuple[str, ...]:
    """Return the arguments of /proc/<pid>/cmdline; none for a kernel thread."""
    return tuple(part.decode(errors="replace") for part in text.rstrip(b"\0").split(b"\0") if part)


@dataclass(slots=True)
class _Known:
    """A process as it was at the last look."""

    inode: int  # of its folder: another one belongs to another process of the same number
    looks: int  # 0: never again
    program: tuple[bytes, ...]
    process: Process


class ProcFolder:
    """
    Reads /proc in one pass, and looks only where something may be new.

    A new process is looked at in this scan and the next, then less and less often: what was started
    as a shell may become a game. Its arguments are read when it runs another program.
    """

    def __init__(self, proc: str = PROC) -> None:
        self._proc = proc
        self._scans = 0
        self._known: dict[int, _Known] = {}

    def read(self, fresh: Collection[int] = ()) -> list[Process]:
        """
        Return all processes, with the CPU time of now for `fresh` ones.

        One that ends meanwhile is left out. Raises NoDevice where those of other people are hidden
        (mount option hidepid).
        """
        with os.scandir(self._proc) as entries:
            inodes = {int(each.name): each.inode() for each in entries if each.name.isdecimal()}
        if 1 not in inodes:
            raise NoDevice(f"{self._proc} hides the processes of others")
        self._scans += 1
        before, self._known = self._known, {}
        for pid, inode in inodes.items():
            known = before.get(pid)
            if known is None or known.inode != inode:
                known = self._look(pid, inode, None)
            elif pid in fresh or (
                known.looks and (self._scans + pid) % min(known.looks, SCANS_APART) == 0
            ):
                known = self._look(pid, inode, known)
            if known is not None:
                self._known[pid] = known
        return [known.process for known in self._known.values()]

    def _look(self, pid: int, inode: int, before: _Known | None) -> _Known | None:
        """Return what is known now; None if the process has ended."""
        try:
            stat = parse_stat(read_file(f"{self._proc}/{pid}/stat"))
            if before is not None and before.program == stat.program:
                arguments = before.process.arguments
            else:
                arguments = parse_arguments(read_file(f"{self._proc}/{pid}/cmdline"))
        except (OSError, ValueError):
            return None
        # What ran before our first scan is not new.
        first = 1 if self._scans > 1 else SCANS_APART
        looks = 0 if stat.is_kernel else first if before is None else before.looks + 1
        process = Process(pid, stat.parent, stat.cpu_seconds, arguments)
        return _Known(inode, looks, stat.program, process)


def read_psutil() -> list[Process]:
    """Return all processes as psutil sees them; those that say nothing have no CPU time."""
    found = []
    for process in psutil.process_iter(["pid", "ppid", "name", "cpu_times"]):
        said = process.info
        times = said["cpu_times"]
        seconds = times.user + times.system if times else 0.0
        found.append(Process(said["pid"], said["ppid"] or 0, seconds, (said["name"] or "",)))
    return found


def make_reader() -> Callable[[Collection[int]], list[Process]]:
    """Return what reads all processes of this system, the second time at less cost."""
    return ProcFolder().read if sys.platform == "linux" else lambda _: read_psutil()


def find_tree(processes: list[Process], roots: set[int]) -> set[int]:
    """Return the ids of these processes and of all that descend from them."""
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    tree, waiting = set(), [process.pid for process in processes if process.pid in roots]
    while waiting:
        pid = waiting.pop()
        if pid not in tree:
            tree.add(pid)
            waiting += children.get(pid, ())
    return tree
