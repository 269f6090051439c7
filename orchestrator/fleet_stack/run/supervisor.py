"""Control supervisord: render its configuration, start it, query it, stop it."""

from __future__ import annotations

import http.client
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass, field
from textwrap import indent
from typing import TYPE_CHECKING, Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from fleet_stack.home import StartError, read_tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

START_SECONDS = 10.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.1
FOREVER = 1_000_000  # tries: a program that cannot start now may be able to in an hour
LOG_BYTES, LOG_BACKUPS = "5MB", 3
LAST_LINES = 12

HEAD = """\
; Written by `./fleet up`; changed by the next one.
[unix_http_server]
file={socket}
chmod=0700

[supervisord]
logfile={logs}/supervisord.log
logfile_maxbytes={log_bytes}
logfile_backups={log_backups}
pidfile={pidfile}
childlogdir={logs}
nodaemon=true
silent=true
user={user}
umask=022

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command={command}
directory=/
environment={environment}
user={user}
priority={priority}
autostart=true
autorestart={restart}
startsecs=1
startretries={retries}
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
stopasgroup={is_group}
killasgroup=true
redirect_stderr=true
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes={log_bytes}
stdout_logfile_backups={log_backups}
"""


@dataclass(frozen=True)
class Service:
    """One program to keep running. Never contains secrets: programs get names of files."""

    name: str
    command: Sequence[str]
    user: str
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_seconds: int = 8
    is_group: bool = False  # stop its children with it, rather than let it stop them
    final_exit_code: int | None = None  # with which it is over until the next `up`


@dataclass(frozen=True)
class Places:
    """The files of one supervisord."""

    folder: Path  # of the configuration
    logs: Path
    socket: Path

    @property
    def configuration(self) -> Path:
        """The rendered file."""
        return self.folder / "supervisord.conf"

    def log(self, name: str) -> Path:
        """Return the log file of a program; the worker writes to that of its agent."""
        return self.logs / f"{'node' if name == 'worker' else name}.log"

    def read_log_tail(self, name: str) -> str:
        """Return the end of a program's log, indented; empty when there is none."""
        file = self.log(name)
        return indent(read_tail(file, LAST_LINES), "    ") if file.exists() else ""


@dataclass(frozen=True)
class Process:
    """What supervisord reports about one program."""

    name: str
    state: str  # STARTING, RUNNING, BACKOFF, STOPPING, STOPPED, EXITED, FATAL, UNKNOWN
    pid: int | None
    started_at: float
    description: str


def render(services: Iterable[Service], places: Places, user: str) -> str:
    """Return supervisord.conf; programs start in the order given."""
    common = {"logs": escape(str(places.logs)), "log_bytes": LOG_BYTES, "log_backups": LOG_BACKUPS}
    text = HEAD.format(
        socket=escape(str(places.socket)),
        pidfile=escape(str(places.folder / "supervisord.pid")),
        user=user,
        **common,
    )
    for priority, service in enumerate(services, start=1):
        text += PROGRAM.format(
            name=service.name,
            command=escape(shlex.join(service.command)),
            environment=",".join(
                f'{key}="{escape(value)}"' for key, value in sorted(service.environment.items())
            ),
            user=service.user,
            priority=priority,
            retries=FOREVER,
            stop_signal=service.stop_signal,
            stop_seconds=service.stop_seconds,
            is_group=str(service.is_group).lower(),
            restart=decide_restart(service),
            **common,
        )
    return text


def decide_restart(service: Service) -> str:
    """Return when supervisord starts a program again: always, or unless it ends for good."""
    code = service.final_exit_code
    return "true" if code is None else f"unexpected\nexitcodes={code}"


def escape(value: str) -> str:
    """
    Double the percent signs, which supervisord expands. Quotes and line ends cannot be written.
    """
    if {'"', "\n", ";"} & set(value):
        raise StartError(
            f"{value!r} cannot stand in the supervisor's configuration; "
            "use a plainer path or address"
        )
    return value.replace("%", "%%")


def connect(socket: Path) -> Any:
    """Return the XML-RPC interface of the supervisord that listens on the socket."""
    transport = SupervisorTransport(None, None, f"unix://{socket}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def read_pid(socket: Path) -> int | None:
    """Return the process id of supervisord; None when it does not answer."""
    if not socket.exists():
        return None
    try:
        return int(connect(socket).getPID())
    except (OSError, http.client.HTTPException):
        return None


def read_processes(socket: Path) -> dict[str, Process] | None:
    """Return its programs by name; None when supervisord does not answer."""
    if not socket.exists():
        return None
    try:
        entries = connect(socket).getAllProcessInfo()
    except (OSError, http.client.HTTPException):
        return None
    return {
        entry["name"]: Process(
            entry["name"],
            entry["statename"],
            entry["pid"] or None,
            float(entry["start"]),
            entry["description"],
        )
        for entry in entries
    }


def start(places: Places, environment: Mapping[str, str]) -> None:
    """
    Start supervisord in a new session with exactly this environment.

    Its log is read by the node agent, perhaps another user: the umask of who calls must not matter.
    Raises StartError when it does not answer within START_SECONDS.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        "supervisor.supervisord",
        "-c",
        str(places.configuration),
    ]
    process = subprocess.Popen(
        command, cwd="/", env=dict(environment), start_new_session=True, umask=0o022,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while read_pid(places.socket) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            said = process.communicate()[1].decode(errors="replace").strip()
            raise StartError(
                f"supervisord did not start: {said[-500:] or 'no answer on ' + str(places.socket)}"
            )
        time.sleep(POLL_SECONDS / 4)
    if process.stderr is not None:
        process.stderr.close()


def update(socket: Path) -> None:
    """
    Make supervisord reload its configuration: stop what is gone or changed, start what is new.
    """
    remote = connect(socket)
    added, changed, removed = remote.reloadConfig()[0]
    for name in (*removed, *changed):
        remote.stopProcessGroup(name)
        remote.removeProcessGroup(name)
    for name in (*changed, *added):
        remote.addProcessGroup(name)
    for process in (read_processes(socket) or {}).values():
        if process.state in {"STOPPED", "EXITED", "FATAL", "BACKOFF"}:
            _start_process(remote, process.name)


def _start_process(remote: Any, name: str) -> None:
    try:
        remote.startProcess(name, False)
    except xmlrpc.client.Fault as fault:
        if "ALREADY_STARTED" not in fault.faultString:
            raise StartError(f"{name} cannot be started: {fault.faultString}") from fault


def stop(socket: Path, last: str) -> None:
    """Stop all programs at once, then `last`, then supervisord itself, and wait for its end."""
    pid = read_pid(socket)
    if pid is None:
        return
    remote = connect(socket)
    for names in ([name for name in read_processes(socket) or {} if name != last], [last]):
        _stop_processes(remote, socket, names)
    remote.shutdown()
    deadline = time.monotonic() + STOP_SECONDS
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS / 4)


def _stop_processes(remote: Any, socket: Path, names: Sequence[str]) -> None:
    for name in names:
        try:
            remote.stopProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if not any(word in fault.faultString for word in ("NOT_RUNNING", "BAD_NAME")):
                raise StartError(f"{name} cannot be stopped: {fault.faultString}") from fault
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        processes = read_processes(socket) or {}
        if not any(processes[name].pid for name in names if name in processes):
            return
        time.sleep(POLL_SECONDS)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
