"""
Obey the commands of the database: begin with each once, in their order, and say how it ended.

What survives a death of the agent at any point: the command's state in the database and `Wanted` in
the home. Before it begins, the agent acknowledges; then it stores what is wanted; only then the
worker is touched. Whoever comes after a death finds a command that is

- requested: nothing was done; it begins, unless the deadline has passed,
- acknowledged, not in the file: the same,
- acknowledged and in the file: nothing is begun anew, it waits for the worker to be as wanted.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_orchestrator.agent import keeper as keeping
from fleet_orchestrator.agent import wanted as storing
from fleet_orchestrator.agent.wanted import Wanted

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from fleet_timescale.connection import Connection

    from fleet_orchestrator.agent.keeper import Keeper

logger = logging.getLogger(__name__)
CHANNEL = "fleet_commands"
ALL_NODES = "*"  # the payload of a notification that is for every agent
EMERGENCY_STOP = "emergency_stop"
BEGIN, WAIT, GIVE_UP = "begin", "wait", "give up"
AIMS = {
    "start": keeping.RUN,
    "restart": keeping.RUN,
    "stop": keeping.STOP,
    "drain": keeping.DRAIN,
    EMERGENCY_STOP: keeping.STOP,
}


@dataclass(frozen=True)
class Command:
    """An open command; `is_late`: its deadline has passed, by the clock of the database."""

    command_id: uuid.UUID
    verb: str
    arguments: dict[str, Any]
    state: str
    is_late: bool


def decide_step(command: Command, followers: Sequence[Command], wanted: Wanted) -> str:
    """
    Return what to do with the first open command: begin, wait for its end, or give it up.

    Only a drain is given up for what follows it: it may take minutes, everything else a moment.
    """
    if command.command_id != wanted.command_id:
        return BEGIN
    return GIVE_UP if command.verb == "drain" and followers else WAIT


def decide_wanted(command: Command, before: Wanted) -> Wanted:
    """
    Return what a command makes people want; a drained node stays stopped, like a stopped one.

    An emergency stop changes nothing of what they want afterwards.
    """
    if command.verb == EMERGENCY_STOP:
        return Wanted(before.runs, command.command_id)
    return Wanted(AIMS[command.verb] == keeping.RUN, command.command_id)


def render_result(verb: str, pid: int | None) -> str:
    """Return how a command ended well."""
    if AIMS[verb] == keeping.RUN:
        return f"the worker runs (process {pid})"
    return "the worker has ended"


class Obedience:
    """Obeys for one node; a new connection goes on where the last one broke."""

    def __init__(self, keeper: Keeper, file: Path) -> None:
        self._keeper = keeper
        self._file = file
        self._is_suspended = True
        self._is_halted = False
        self.wanted = storing.load(file)
        self.has_open = True  # until the database says otherwise

    def resume(self, delay_seconds: float = 0.0) -> None:
        """
        Hold the worker to what was wanted last; nothing happens unless we are suspended.

        After an emergency stop it starts with the delay.
        """
        if self._is_suspended:
            aim = keeping.RUN if self.wanted.runs else keeping.STOP
            self._keeper.want(aim, delay_seconds=delay_seconds if self._is_halted else 0.0)
        self._is_suspended = self._is_halted = False

    def halt(self) -> None:
        """Let no worker run until the fleet is resumed."""
        if not self._is_suspended:
            self.suspend()
        self._is_halted = True

    def suspend(self) -> None:
        """Let no worker run until `resume`, whatever is wanted."""
        self._keeper.want(keeping.STOP)
        self._is_suspended = True

    def obey(self, connection: Connection) -> None:
        """Bring the open commands as far as they come now."""
        rows = connection.execute("SELECT * FROM fleet.open_commands()").fetchall()
        commands = [Command(**row) for row in rows]
        while commands and self._advance(connection, commands[0], commands[1:]):
            del commands[0]
        self.has_open = bool(commands)

    def _advance(
        self, connection: Connection, command: Command, followers: Sequence[Command]
    ) -> bool:
        """Bring one command as far as it comes; return whether it is over."""
        step = decide_step(command, followers, self.wanted)
        if step == BEGIN:
            if not self._begin(connection, command):
                return True
            step = decide_step(command, followers, self.wanted)
        if step == GIVE_UP:
            self._finish(connection, command, "failed", f"overtaken by a {followers[0].verb}")
            return True
        if not self._keeper.is_settled:
            return False
        result = render_result(command.verb, self._keeper.child.pid)
        self._finish(connection, command, "done", result)
        return True

    def _begin(self, connection: Connection, command: Command) -> bool:
        """Acknowledge, store, act; False when the command is over without that."""
        extra = {"command_id": command.command_id, "verb": command.verb}
        row = connection.execute(
            "SELECT fleet.acknowledge_command(%s) AS may", [command.command_id]
        ).fetchall()[0]
        if not row["may"]:
            logger.warning("A command came too late; it is not obeyed.", extra=extra)
            return False
        logger.info("Obeying a command.", extra=extra)
        wanted = decide_wanted(command, self.wanted)
        if command.verb == EMERGENCY_STOP:
            # Nothing is stored, which might fail: the next agent asks the database.
            self.wanted = wanted
            self.halt()
            return True
        try:
            storing.store(self._file, wanted)
        except OSError as exc:  # half obeyed is worse than not: the next start would undo it
            self._finish(connection, command, "failed", f"{self._file} cannot be written: {exc}")
            return False
        self.wanted = wanted
        if self._is_halted:  # a stop or a drain, for the time after it
            return True
        self._keeper.want(AIMS[command.verb], is_restart=command.verb == "restart")
        return True

    def _finish(self, connection: Connection, command: Command, state: str, result: str) -> None:
        connection.execute(
            "SELECT fleet.finish_command(%s, %s, %s)", [command.command_id, state, result]
        )
        extra = {"command_id": command.command_id, "verb": command.verb, "result": result}
        logger.info("A command has ended.", extra=extra)
