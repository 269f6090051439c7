"""
Read how many games are registered with Feral's gamemode.

By hand: `busctl --user get-property com.feralinteractive.GameMode /com/feralinteractive/GameMode
com.feralinteractive.GameMode ClientCount`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_exporters.decision.activity import Signals
from fleet_exporters.signals import command, session_bus

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = "com.feralinteractive.GameMode"
PATH = "/com/feralinteractive/GameMode"
CLIENT_COUNT = ("org.freedesktop.DBus.Properties", "Get", "ss", SERVICE, "ClientCount")


def count_games(bus: tuple[str, ...], ask: Callable[..., str] = command.ask) -> int:
    """Return the games of one user; a gamemode that does not run has none."""
    if not session_bus.has_owner(bus, SERVICE, ask):
        return 0
    answer = session_bus.call(bus, SERVICE, PATH, CLIENT_COUNT, ask)
    return int(session_bus.parse_value(answer, "i"))


def read(
    find_buses: Callable[[], list[tuple[str, ...]]] = session_bus.find_buses,
    ask: Callable[..., str] = command.ask,
) -> Signals:
    """Return the games of all users whose bus we may enter. Raises NoDevice without one."""
    buses = session_bus.require_buses(find_buses())
    games = command.ask_each(buses, lambda bus: count_games(bus, ask))
    return Signals(gamemode_games=sum(games))
