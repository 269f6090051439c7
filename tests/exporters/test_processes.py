"""One scan of all processes: Steam, listed executables, foreign CPU."""

from __future__ import annotations

import os
import shutil
from itertools import count

import pytest
from fleet_exporters.decision.activity import Signals
from fleet_exporters.errors import NoDevice
from fleet_exporters.signals.executables import find_listed, parse_list
from fleet_exporters.signals.foreign_cpu import ForeignCpu
from fleet_exporters.signals.processes import (
    KERNEL_THREAD,
    SCANS_APART,
    TICKS_PER_SECOND,
    Process,
    ProcFolder,
    find_tree,
    make_reader,
    parse_arguments,
    parse_stat,
)
from fleet_exporters.signals.scan import Scan
from fleet_exporters.signals.steam import Steam, parse_environ

# As proc(5) describes it: pid, name, state, parent, …, utime stime cutime cstime at 14 to 17.
STAT = b"42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 300 200 50 50 20 0 1 0 999 1 2 3 4 5 6 7 8"
REAPER = ("/home/ada/.steam/reaper", "SteamLaunch", "AppId=440", "--", "/games/hl2.sh")


def process(pid, *arguments, parent=1, cpu=0.0):
    return Process(pid, parent, cpu, arguments)


def test_name_may_hold_brackets():
    """Parent and CPU time are found behind the last bracket; waited-for children count."""
    assert parse_stat(STAT)[:2] == (7, 600 / TICKS_PER_SECOND)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"/usr/bin/doom\0-warp\0", "doom"),
        (b"Z:\\games\\Doom.exe\0", "Doom.exe"),
        (b"", ""),
    ],
)
def test_name_is_the_file_of_the_program(text, name):
    """Paths of Linux and of Wine end in it; kernel threads have none."""
    assert Process(1, 0, 0, parse_arguments(text)).name == name


def test_this_process_is_found():
    """The real scan has us, with our parent and some CPU time."""
    (found,) = [each for each in make_reader()(()) if each.pid == os.getpid()]

    assert found.parent == os.getppid()
    assert found.cpu_seconds > 0
    assert found.name


class Proc:
    """A folder like /proc, whose reads are counted."""

    def __init__(self, root):
        self.root = root
        self.start(1, "init")

    def start(self, pid, *arguments, parent=0, ticks=0, stack=0, flags=0):
        """Have a process run these arguments; the same number again is an exec."""
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        name = arguments[0] if arguments else "kthread"
        fields = [
            parent,
            *[0] * 4,
            flags,
            *[0] * 4,
            ticks,
            *[0] * 3,
            20,
            0,
            1,
            0,
            7,
            *[0] * 5,
            stack,
            0,
        ]
        (folder / "stat").write_text(f"{pid} ({name}) S {' '.join(map(str, fields))}")
        (folder / "cmdline").write_text("\0".join(arguments) + "\0")

    def end(self, pid):
        shutil.rmtree(self.root / str(pid))


@pytest.fixture
def proc(tmp_path):
    return Proc(tmp_path)


def names(processes):
    return {process.pid: process.name for process in processes}


def test_processes_come_and_go(proc):
    """A scan has those that run now, the new ones with their arguments."""
    folder = ProcFolder(str(proc.root))
    proc.start(5, "bash")
    first = names(folder.read())
    proc.end(5)
    proc.start(6, "doom")

    assert (first, names(folder.read())) == ({1: "init", 5: "bash"}, {1: "init", 6: "doom"})


@pytest.mark.parametrize("changes", [{"stack": 9}, {}], ids=["stack is told", "only the name is"])
def test_shell_that_becomes_a_game_is_noticed_at_the_next_scan(proc, changes):
    """A new process is looked at once more, since starters end in an exec."""
    folder = ProcFolder(str(proc.root))
    folder.read()
    proc.start(5, "bash")
    folder.read()
    proc.start(5, "bash" if changes else "doom", "/games/doom", **changes)

    (found,) = [each for each in folder.read() if each.pid == 5]

    assert found.arguments[1] == "/games/doom"


def test_every_process_is_looked_at_within_a_minute(proc):
    """However old it is, an exec is noticed thirty scans later at the latest."""
    folder = ProcFolder(str(proc.root))
    proc.start(5, "bash")
    for _ in range(20):
        folder.read()
    proc.start(5, "doom")

    scans = [names(folder.read())[5] for _ in range(SCANS_APART)]

    assert "doom" in scans


def test_old_processes_are_left_alone(proc):
    """Of sixty that have run for long a scan looks at two."""
    folder = ProcFolder(str(proc.root))
    for pid in range(2, 61):
        proc.start(pid, "bash")
    folder.read()
    for pid in range(2, 61):
        proc.start(pid, "doom")

    looked = [name for name in names(folder.read()).values() if name == "doom"]

    assert len(looked) <= 60 / SCANS_APART


def test_kernel_threads_are_looked_at_once(proc):
    """They never become a program."""
    folder = ProcFolder(str(proc.root))
    proc.start(5, flags=KERNEL_THREAD)
    folder.read()
    (proc.root / "5" / "stat").unlink()
    for _ in range(SCANS_APART):
        found = names(folder.read())

    assert found[5] == ""


def test_cpu_time_of_ours_is_always_of_now(proc):
    """What the fleet uses is taken from what all use, and must be as new."""
    folder = ProcFolder(str(proc.root))
    proc.start(5, "worker", ticks=100)
    for _ in range(20):
        folder.read({5})
    for ticks in range(200, 800, 100):
        proc.start(5, "worker", ticks=ticks)
        (found,) = [each for each in folder.read({5}) if each.pid == 5]

        assert found.cpu_seconds == ticks / TICKS_PER_SECOND


def test_number_that_is_used_again_is_another_process(proc):
    """The kernel gives the folder of a new process another inode."""
    folder = ProcFolder(str(proc.root))
    proc.start(5, "bash")
    for _ in range(20):
        folder.read()
    (proc.root / "5").rename(proc.root / "old")
    proc.start(5, "doom")

    assert names(folder.read())[5] == "doom"


def test_hidden_processes_are_no_device(tmp_path):
    """With hidepid we see our own only, which is not all."""
    with pytest.raises(NoDevice, match="hides"):
        ProcFolder(str(tmp_path)).read()


def test_environment_is_read_once_a_program():
    """It does not change while the program runs; a new process of equal words has its own."""
    asked = []
    steam = Steam(lambda pid: asked.append(pid) or b"SteamAppId=570\0")
    running = process(5, "/usr/bin/hl2")

    games = [steam.find_game([running]), steam.find_game([running]), steam.find_game([])]
    again = steam.find_game([process(5, *["/usr/bin/hl2"])])

    assert (games, again) == (["app 570", "app 570", ""], "app 570")
    assert asked == [5, 5]


def test_tree_is_all_descendants():
    """Children of children are ours; siblings are not, and a missing root is nobody."""
    processes = [process(1, parent=0), process(2), process(3, parent=2), process(4)]

    assert find_tree(processes, {2, 99}) == {2, 3}


@pytest.mark.parametrize(
    ("environ", "app"),
    [
        (b"HOME=/\0SteamAppId=570\0PATH=/", "570"),
        (b"SteamAppId=7\0", ""),
        (b"SteamAppId=0\0", ""),
        (b"NotSteamAppId=5\0", ""),
        (b"", ""),
    ],
)
def test_steam_environment(environ, app):
    """A game has its app id; the client itself has 7, and what it does not know 0."""
    assert parse_environ(environ) == app


@pytest.mark.parametrize(
    ("processes", "game"),
    [
        ([process(5, *REAPER)], "app 440"),
        ([process(5, "/usr/bin/hl2")], "app 570"),
        ([process(6, "/usr/bin/other")], ""),
        ([process(6, "/usr/bin/reaper", "--help")], ""),
        ([], ""),
    ],
    ids=["wrapper", "environment", "no game", "other reaper", "nobody"],
)
def test_steam_game(processes, game):
    """The wrapper's arguments name the game for everyone, the environment for root."""
    read_environ = {5: b"SteamAppId=570\0"}

    assert Steam(lambda pid: read_environ.get(pid, b"")).find_game(processes) == game


def test_listed_executable_is_found_in_any_case():
    """The owner's list is of file names; blanks and case do not matter."""
    listed = parse_list(" Doom.EXE, ,factorio")

    assert listed == {"doom.exe", "factorio"}
    assert find_listed([process(5, "Z:\\g\\DOOM.exe")], listed) == "DOOM.exe"
    assert find_listed([process(5, "/usr/bin/doom")], listed) == ""


def times(busy, idle):
    return {"user": busy, "idle": idle, "guest": busy, "iowait": 0.0}


def test_foreign_cpu_is_all_but_ours():
    """Of ten seconds six were busy and two of them ours: 40 per cent were foreign."""
    readings = iter([times(100, 100), times(106, 104)])
    cpu = ForeignCpu(lambda: next(readings), count(step=10).__next__)

    first = cpu.read([process(5, cpu=50), process(6, cpu=9)], {5})
    second = cpu.read([process(5, cpu=52), process(6, cpu=13)], {5})

    assert (first, second) == (None, 0.4)


def test_share_is_of_ten_seconds():
    """Scans come each second; a share over one of them would jump with every short job."""
    readings = iter([times(100, 100), times(106, 104)])
    cpu = ForeignCpu(lambda: next(readings), iter([0, 1, 9, 10, 11]).__next__)

    assert [cpu.read([], set()) for _ in range(5)] == [None, None, None, 0.6, 0.6]


def test_lost_child_does_not_make_ours_negative():
    """When a process of ours is gone its time does not count as foreign at once."""
    readings = iter([times(100, 100), times(105, 105)])
    cpu = ForeignCpu(lambda: next(readings), count(step=10).__next__)

    cpu.read([process(5, cpu=50)], {5})

    assert cpu.read([], {5}) == 0.5


def test_scan_answers_three_questions():
    """One list of processes tells game, listed executable and foreign CPU."""
    readings = iter([times(0, 0), times(5, 5)])
    scan = Scan(
        frozenset({"doom"}),
        lambda: [5],
        lambda _: [process(5), process(6, parent=5), process(7, "/bin/doom"), process(8, *REAPER)],
        ForeignCpu(lambda: next(readings), count(step=10).__next__),
    )
    scan.read()

    assert scan.read() == Signals(
        steam_game="app 440", listed_game="doom", foreign_cpu_ratio=0.5
    )  # fmt: skip
    assert [scan.is_ours(pid) for pid in (5, 6, 7)] == [True, True, False]


def test_scan_does_not_guess():
    """No list: no listed game is unknown; no word of ours: foreign CPU is."""
    readings = iter([times(0, 0), times(5, 5)])
    scan = Scan(
        frozenset(), list, lambda _: [], ForeignCpu(lambda: next(readings), count(step=10).__next__)
    )
    scan.read()

    assert scan.read() == Signals(steam_game="")
