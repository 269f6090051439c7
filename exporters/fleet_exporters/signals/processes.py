"""
Read all processes once: who runs what, whose child it is, how much CPU it has used.

Own reading of /proc, since psutil takes a millisecond a process; psutil where there is no /proc.
By hand: `ps -eo pid,ppid,time,args`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import psutil

from fleet_exporters.errors import NoDevice

PROC = "/proc"
READ_BYTES = 65536  # more arguments or environment than this is not looked at
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


def parse_stat(text: bytes) -> tuple[int, float]:
    """Return parent and CPU seconds of /proc/<pid>/stat; a name may hold spaces and brackets."""
    fields = text[text.rindex(b")") + 2 :].split()
    return int(fields[1]), sum(int(field) for field in fields[11:15]) / TICKS_PER_SECOND


def parse_arguments(text: bytes) -> tuple[str, ...]:
    """Return the arguments of /proc/<pid>/cmdline; none for a kernel thread."""
    return tuple(part.decode(errors="replace") for part in text.rstrip(b"\0").split(b"\0") if part)


def read_proc(proc: str = PROC) -> list[Process]:
    """
    Return all processes of /proc; one that ends meanwhile is left out.

    Raises NoDevice where those of other people are hidden (mount option hidepid).
    """
    names = [name for name in os.listdir(proc) if name.isdecimal()]  # noqa: PTH208 - quicker
    if "1" not in names:
        raise NoDevice(f"{proc} hides the processes of others")
    found = []
    for name in names:
        try:
            parent, seconds = parse_stat(read_file(f"{proc}/{name}/stat"))
            arguments = parse_arguments(read_file(f"{proc}/{name}/cmdline"))
        except (OSError, ValueError):
            continue  # it has ended
        found.append(Process(int(name), parent, seconds, arguments))
    return found


def read_psutil() -> list[Process]:
    """Return all processes as psutil sees them; those that say nothing have no CPU time."""
    found = []
    for process in psutil.process_iter(["pid", "ppid", "name", "cpu_times"]):
        said = process.info
        times = said["cpu_times"]
        seconds = times.user + times.system if times else 0.0
        found.append(Process(said["pid"], said["ppid"] or 0, seconds, (said["name"] or "",)))
    return found


def read_processes() -> list[Process]:
    """Return all processes in the way of this system."""
    return read_proc() if sys.platform == "linux" else read_psutil()


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
