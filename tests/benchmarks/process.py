"""What a running program costs: CPU time and memory, from the kernel."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

KIBI = 1024
CPU_CLOCK_OF_PROCESS = 2  # clock_getcpuclockid(3): the scheduler's own account, in nanoseconds


def read_tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def read_cpu_seconds(pid: int) -> float:
    """Return CPU seconds so far, ended threads and living descendants included."""
    clocks = ((~each << 3) | CPU_CLOCK_OF_PROCESS for each in read_tree(pid))
    return sum(time.clock_gettime(clock) for clock in clocks)


def read_pss_bytes(pid: int) -> int:
    """Return memory, pages that are shared with others counted by share."""
    total = 0
    for each in read_tree(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * KIBI
    return total


def read_busy_seconds() -> float:
    """Return the CPU seconds of the whole machine that were not idle."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
