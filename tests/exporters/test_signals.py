"""Each source of activity signals: what it is told and what it makes of it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from fleet_exporters.decision.activity import Signals
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.signals import (
    battery,
    command,
    gamemode,
    logind,
    mutter,
    session_bus,
    windows,
    x11,
)
from fleet_exporters.signals.processes import Process

OWN_BUS = ("--user", "--address=unix:path=/run/user/1000/bus")
# As busctl 252 prints them.
GAMEMODE = {"NameHasOwner": "b true\n", "Get": "v i 2\n"}
MUTTER = {"NameHasOwner": "b true\n", "GetIdletime": "t 61250\n"}


def answer(table, asked=None):
    """Return a stand-in for command.ask that knows some words; what it was asked goes to a list."""

    def ask(arguments, environment=None):
        if asked is not None:
            asked.append(arguments)
        return next(text for word, text in table.items() if word in arguments)

    return ask


# Commands


def test_program_that_is_missing_is_no_device():
    """A system without the program has no such signal; nothing is broken."""
    with pytest.raises(NoDevice, match="no-such-program is not installed"):
        command.ask(["no-such-program"])


def test_program_that_fails_says_why():
    """What it wrote to its error output is in the message."""
    with pytest.raises(SensorError, match="failed: no bus"):
        command.ask(["sh", "-c", "echo no bus >&2; exit 3"])


# D-Bus


def test_only_buses_that_let_us_in_are_asked(tmp_path):
    """Our own bus by its address; those of others only for root, as their users."""
    mine, nobody = 4294960000, 4294967000  # ids that no machine has given to anybody
    for uid in map(str, (0, mine, nobody)):
        (tmp_path / uid).mkdir()
        (tmp_path / uid / "bus").touch()

    assert session_bus.find_buses({}, tmp_path, own_uid=mine) == [
        ("--user", f"--address=unix:path={tmp_path}/{mine}/bus")
    ]
    assert session_bus.find_buses({}, tmp_path, own_uid=0) == [
        ("--user", f"--address=unix:path={tmp_path}/0/bus")
    ]
    assert session_bus.find_buses({}, tmp_path / "none", own_uid=1000) == []


def test_other_peoples_bus_is_entered_as_them(tmp_path):
    """Root asks the bus of user 1 (daemon everywhere) through systemd, never directly."""
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "bus").touch()

    assert session_bus.find_buses({}, tmp_path, own_uid=0) == [("--user", "--machine=daemon@.host")]


@pytest.mark.parametrize("text", ["", "b", "s true", "b true false"])
def test_strange_answer_is_refused(text):
    """An answer that is not one value of the type asked for is an error, not a guess."""
    with pytest.raises(SensorError, match="not one value"):
        session_bus.parse_value(text, "b")


def test_games_of_all_users_are_counted():
    """Two buses with two games each are four, and nothing is started for the question."""
    asked = []

    signals = gamemode.read(lambda: [OWN_BUS, OWN_BUS], answer(GAMEMODE, asked))

    assert signals == Signals(gamemode_games=4)
    assert all("--auto-start=no" in words for words in asked if "Get" in words)


def fail_at(word, table):
    """Return a stand-in for command.ask that fails where its arguments have this word."""

    def ask(arguments, environment=None):
        if word in arguments:
            raise SensorError(f"{word} does not answer")
        return answer(table)(arguments)

    return ask


OTHER_BUS = ("--user", "--machine=ada@.host")


@pytest.mark.parametrize(
    ("read", "table", "expected"),
    [
        (gamemode.read, GAMEMODE, Signals(gamemode_games=2)),
        (mutter.read, MUTTER, Signals(input_idle_seconds=61.25)),
    ],
)
def test_bus_that_fails_leaves_the_others(read, table, expected):
    """One user whose session hangs hides nobody else's game or input."""
    ask = fail_at("--machine=ada@.host", table)

    assert read(lambda: [OTHER_BUS, OWN_BUS], ask) == expected
    with pytest.raises(SensorError, match="does not answer"):
        read(lambda: [OTHER_BUS], ask)


def test_gamemode_that_does_not_run_has_no_games():
    """Nobody has registered where nobody listens."""
    ask = answer({"NameHasOwner": "b false\n"})

    assert gamemode.read(lambda: [OWN_BUS], ask) == Signals(gamemode_games=0)


def test_idle_time_of_gnome():
    """Milliseconds of the compositor, which also sees Wayland's input."""
    assert mutter.read(lambda: [OWN_BUS], answer(MUTTER)) == Signals(input_idle_seconds=61.25)


@pytest.mark.parametrize("read", [gamemode.read, mutter.read])
def test_no_bus_is_no_device(read):
    """Without a session whose bus we may enter the signal is unknown."""
    with pytest.raises(NoDevice):
        read(list, answer({}))


def test_other_desktop_is_no_gnome():
    """A bus without the compositor's service has no such idle time."""
    with pytest.raises(NoDevice, match="GNOME"):
        mutter.read(lambda: [OWN_BUS], answer({"NameHasOwner": "b false\n"}))


# logind

GRAPHICAL = """Id=2
Class=user
State=active
Seat=seat0
Type=wayland
TTY=tty2
IdleHint=yes
IdleSinceHint=1700000000000000
"""
SSH = "Id=5\nClass=user\nState=active\nSeat=\nType=tty\nTTY=pts/0\nIdleHint=no\nIdleSinceHint=0\n"
GREETER = GRAPHICAL.replace("Class=user", "Class=greeter")
CONSOLE = GRAPHICAL.replace("Type=wayland", "Type=tty")
NOW = 1_700_000_300.0


def decide_now(*blocks):
    """Return the signals of these sessions; every terminal was last read from 20 s ago."""
    sessions = logind.parse_sessions("\n".join(blocks))
    return logind.decide(sessions, NOW, lambda path: NOW - 20)


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([GRAPHICAL], Signals(is_interactive=True, input_idle_seconds=300)),
        ([GRAPHICAL.replace("=yes", "=no")], Signals(is_interactive=True)),
        ([CONSOLE], Signals(is_interactive=True, input_idle_seconds=20)),
        ([GRAPHICAL, CONSOLE], Signals(is_interactive=True, input_idle_seconds=20)),
        ([GRAPHICAL.replace("=yes", "=no"), CONSOLE], Signals(is_interactive=True)),
        ([SSH], Signals(is_interactive=False)),
        ([GREETER], Signals(is_interactive=False)),
        ([GRAPHICAL.replace("=active", "=closing")], Signals(is_interactive=False)),
    ],
    ids=["idle", "not idle", "console", "both", "one silent", "ssh", "greeter", "closing"],
)
def test_sessions(blocks, expected):
    """A person at the seat is interactive; only what is told of idleness is believed."""
    assert decide_now(*blocks) == expected


def test_logind_is_asked_for_all_sessions_at_once(tmp_path):
    """The ids of the list go into one question; nobody logged in is nobody there."""
    asked = []
    table = {"list-sessions": " 2 1000 ada seat0 tty2\n c1 42 gdm seat0 tty1\n"}
    ask = answer(table | {"show-session": GRAPHICAL}, asked)

    signals = logind.read(ask, lambda: NOW, tmp_path)

    assert signals.is_interactive
    assert asked[1][:4] == ["loginctl", "show-session", "2", "c1"]
    assert logind.read(answer({"list-sessions": "\n"}), lambda: NOW, tmp_path) == Signals(
        is_interactive=False
    )


def test_system_without_systemd_has_no_logind(tmp_path):
    """Containers and other systems: unknown, not "nobody"."""
    with pytest.raises(NoDevice, match="systemd"):
        logind.read(answer({}), lambda: NOW, tmp_path / "none")


# X11


def test_xwayland_is_left_out():
    """It learns only of input to its own windows, so its idle time would be a guess."""
    wayland = Process(9, 1, 0, ("/usr/bin/Xwayland", ":0", "-rootless"))

    with pytest.raises(NoDevice, match="Xwayland"):
        x11.read(lambda: [wayland], lambda: [":0"], answer({}))


def test_shortest_idle_time_of_all_displays():
    """Somebody who types at one of two screens is there."""
    ask = answer({":0": "90000\n", ":1": "1500\n"})

    assert x11.read(list, lambda: [":0", ":1"], ask) == Signals(input_idle_seconds=1.5)


def test_display_that_is_gone_leaves_the_others():
    """A server that crashed leaves its socket behind."""
    ask = fail_at(":0", {":1": "1500\n"})

    assert x11.read(list, lambda: [":0", ":1"], ask) == Signals(input_idle_seconds=1.5)


def test_displays_are_the_sockets(tmp_path):
    """X0 is display :0; locks and other files are none."""
    for name in ("X0", "X12", "lock"):
        (tmp_path / name).touch()

    assert x11.find_displays(tmp_path) == [":0", ":12"]


def test_program_that_asks_a_display_that_is_gone_fails():
    """The helper ends with a code, and takes nobody with it."""
    with pytest.raises(SensorError, match="failed"):
        command.ask([sys.executable, "-I", "-S", str(x11.PROGRAM), ":987"])


# Windows (never run there: the documented functions, faked)


class FakeWindows:
    """kernel32, user32 and shell32 in one; ctypes.byref objects are filled as Windows does."""

    def __init__(self, session=1, input_ticks=5_000, ticks=65_000, screen=3, result=0):
        self.kernel32 = self.user32 = self.shell32 = self
        self.session, self.input_ticks, self.ticks = session, input_ticks, ticks
        self.screen, self.result = screen, result

    def ProcessIdToSessionId(self, pid, reference):
        reference._obj.value = self.session
        return 1

    def GetLastInputInfo(self, reference):
        reference._obj.dwTime = self.input_ticks
        return 1

    def GetTickCount(self):
        return self.ticks

    def SHQueryUserNotificationState(self, reference):
        reference._obj.value = self.screen
        return self.result


@pytest.mark.parametrize(("screen", "expected"), [(3, True), (2, False), (5, False)])
def test_windows_tells_idle_time_and_full_screen(screen, expected):
    """Only Direct3D in full screen is a game; a presentation is not."""
    signals = windows.read(lambda: FakeWindows(screen=screen))

    assert signals == Signals(
        is_interactive=True, input_idle_seconds=60, is_full_screen=expected
    )  # fmt: skip


def test_millisecond_counter_may_begin_anew():
    """After 49.7 days of uptime the idle time is still right."""
    assert windows.parse_idle(500, 2**32 - 500) == 1


def test_windows_service_learns_nothing():
    """In session 0 Windows answers, but about nobody: that is unknown."""
    with pytest.raises(NoDevice, match="service"):
        windows.read(lambda: FakeWindows(session=0))


def test_failure_of_windows_is_an_error():
    """A result that is not S_OK is told."""
    with pytest.raises(SensorError, match="0x80004005"):
        windows.read(lambda: FakeWindows(result=0x80004005))


# Battery


@pytest.mark.parametrize(("plugged", "expected"), [(True, False), (False, True), (None, None)])
def test_battery(plugged, expected):
    """A battery that does not tell is unknown."""
    signals = battery.read(lambda: SimpleNamespace(power_plugged=plugged))

    assert signals == Signals(is_on_battery=expected)


def test_desktop_machine_has_no_battery():
    """No battery is no device."""
    with pytest.raises(NoDevice, match="battery"):
        battery.read(lambda: None)


def test_machine_without_sysfs_has_no_battery():
    """psutil fails where the kernel's folder of power supplies is missing."""

    def read_nothing():
        raise FileNotFoundError(2, "No such file or directory", "/sys/class/power_supply")

    with pytest.raises(NoDevice, match="battery"):
        battery.read(read_nothing)
