"""
The command `fleet`: a table of subcommands as dotted names, so that each loads only what it needs.

An error that the user can act on is told on standard error, with exit code 1; 2 is a wrong command
line.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import sys
from typing import TYPE_CHECKING

from fleet_timescale import __version__
from fleet_timescale.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Callable

# For people: what it does, and who does it.
COMMANDS = {
    "up": ("start everything, or what is missing", "fleet_stack.commands.up:main"),
    "down": ("stop everything; --purge removes its state too", "fleet_stack.commands.down:main"),
    "status": ("show what runs; --json for programs", "fleet_stack.commands.status:main"),
    "logins": ("print the logins of people", "fleet_stack.commands.logins:main"),
    "logs": (
        "print the logs, or those of one PROGRAM; -f follows",
        "fleet_stack.commands.logs:main",
    ),
    "env": ("print addresses as shell exports", "fleet_stack.commands.env:main"),
    "doctor": (
        "show what this machine's sensors find; --json too",
        "fleet_stack.commands.doctor:main",
    ),
    "db": (
        "`db size`: what readings take on disk; --json too",
        "fleet_stack.commands.database:look",
    ),
    "node join": (
        "`node join URL CODE`: make this home a node of the fleet at URL",
        "fleet_stack.joined.command:main",
    ),
    "alerts test": (
        "`alerts test`: send a test alert to the people who get real ones",
        "fleet_stack.trial.command:main",
    ),
    "migrate": ("bring the database up to date", "fleet_stack.commands.database:migrate"),
    "twin": (
        "set and clear faults of the simulated machines of `up --twin N`",
        "fleet_stack.commands.env:call_twin",
    ),
    "grafana": (
        "`grafana check|push`: dashboards and data sources in a Grafana of your own",
        "fleet_stack.commands.env:call_grafana",
    ),
    "completion": (
        "print what bash, zsh or fish needs to complete commands",
        "fleet_stack.commands.env:call_completion",
    ),
    "test": ("run every test", "fleet_stack.commands.test:main"),
}
# What supervisor runs.
PROGRAMS = {
    "exporter": "fleet_exporters.cli:main",
    "node": "fleet_orchestrator.node:main",
    "worker": "fleet_orchestrator.worker:main",
    "master": "fleet_orchestrator.master:main",
    "control-api": "fleet_control_api.cli:main",
    "sms-bridge": "fleet_sms.cli:main",
}
NOUNS = (
    "jobs", "nodes", "pause", "resume", "emergency-stop", "emergency-stop-status", "config",
    "login", "logout", "whoami", "users", "tokens", "sessions", "export", "audit", "alerts",
    "events", "watch",
)  # fmt: skip
# Whose --help lists all their options, without a home.
DESCRIBED = ("up", "down", "status", "logins", "logs", "env", "doctor", "db", "migrate")
OPTION = re.compile(r"^  (?:-\w(?: \w+)?, )?(--[a-z-]+)", re.MULTILINE)
WRONG_USAGE, INTERRUPTED = 2, 130


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    name, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    try:
        if name in {"help", "-h", "--help"}:
            sys.stdout.write(render_help() + "\n")
            return 0
        return run(name, rest)
    except FleetError as exc:
        sys.stderr.write(f"fleet: {exc}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, a pager) has seen enough; Python must not complain at its exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as exc:
        if name in PROGRAMS:
            raise  # run by the supervisor: the log gets the traceback
        sys.stderr.write(f"fleet: {exc}; check disk space and permissions, then try again\n")
        return 1


def run(name: str, arguments: list[str]) -> int:
    """Load and call what a subcommand stands for."""
    if [name, *arguments[:1]] == ["alerts", "test"]:
        return load(COMMANDS["alerts test"][1])(arguments[1:])
    if name in NOUNS:
        # The client needs address and token of the home, which only the launcher knows.
        return load("fleet_stack.commands.env:call_client")([name, *arguments])
    if [name, *arguments[:1]] == ["node", "join"]:
        return load(COMMANDS["node join"][1])(arguments[1:])
    target = PROGRAMS.get(name) or COMMANDS.get(name, ("", ""))[1]
    if not target:
        sys.stderr.write(f"fleet: there is no command {name!r}; `./fleet help` lists them\n")
        return WRONG_USAGE
    if name == "completion":
        return load(target)(arguments, describe_commands(arguments))
    return load(target)(arguments)


def describe_commands(arguments: list[str]) -> dict[str, tuple[str, list[str]]]:
    """Return what each command does, and the options of the one that stands on the line."""
    line = arguments[2:3]
    return {
        name.split()[0]: (about, list_options(name) if [name] == line else [])
        for name, (about, _) in COMMANDS.items()
        if name.split()[0] not in NOUNS
    }


def list_options(name: str) -> list[str]:
    """Return the long options of a command, as its help lists them."""
    if name not in DESCRIBED:
        return []
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        load(COMMANDS[name][1])(["--help"])
    return OPTION.findall(said.getvalue())


def load(target: str) -> Callable[..., int]:
    """Return what `module:name` stands for."""
    module, _, name = target.partition(":")
    command: Callable[..., int] = getattr(importlib.import_module(module), name)
    return command


def render_help() -> str:
    """Return the list of commands."""
    lines = [f"Transcript Fleet {__version__}", ""]
    lines += [f"  ./fleet {name:<10} {text}" for name, (text, _) in COMMANDS.items()]
    lines += [
        "",
        f"  ./fleet {' | '.join(NOUNS)}",
        "      steer the fleet through its control API; each explains itself with --help",
        "",
        "  Exit codes: 0 done, 1 failed or refused, 2 wrong command line, 130 interrupted.",
    ]
    return "\n".join(lines)
