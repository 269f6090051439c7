"""
Find what Steam runs.

Its wrapper names the game in its arguments, for everyone to read; the game's environment names it
too, for root and the game's own user. By hand: `pgrep -af 'reaper SteamLaunch'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_exporters.signals.processes import PROC, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fleet_exporters.signals.processes import Process

NO_GAMES = {"", "0", "7"}  # 7 is the Steam client itself


def read_environ(pid: int, proc: str = PROC) -> bytes:
    """Return a process's environment; empty where it is not ours to read."""
    try:
        return read_file(f"{proc}/{pid}/environ")
    except OSError:
        return b""


def parse_environ(text: bytes) -> str:
    """Return the app id in an environment; empty when there is none, or it is no game's."""
    for variable in text.split(b"\0"):
        if variable.startswith(b"SteamAppId="):
            app = variable.partition(b"=")[2].decode(errors="replace")
            return "" if app in NO_GAMES else app
    return ""


def parse_wrapper(process: Process) -> str:
    """Return the app id in the arguments of Steam's `reaper SteamLaunch AppId=… -- …`."""
    if process.name != "reaper" or "SteamLaunch" not in process.arguments[1:2]:
        return ""
    named = [part for part in process.arguments if part.startswith("AppId=")]
    return named[0].removeprefix("AppId=") if named else "unknown"


class Steam:
    """Looks at each program once: neither its arguments nor its environment change afterwards."""

    def __init__(self, read_environ: Callable[[int], bytes] = read_environ) -> None:
        self._read_environ = read_environ
        self._apps: dict[int, tuple[tuple[str, ...], str]] = {}

    def find_game(self, processes: Iterable[Process]) -> str:
        """Return what Steam runs, such as `app 440`; empty when it runs nothing."""
        before, self._apps = self._apps, {}
        game = ""
        for process in processes:
            if not process.arguments:
                continue  # kernel threads have no arguments and no environment
            arguments, app = before.get(process.pid, ((), ""))
            # The same object, not an equal one: a new process may be called with the same words.
            if arguments is not process.arguments:
                app = self._look(process)
            self._apps[process.pid] = process.arguments, app
            game = game or app
        return f"app {game}" if game else ""

    def _look(self, process: Process) -> str:
        return parse_wrapper(process) or parse_environ(self._read_environ(process.pid))
