"""The twin as a step meets it: the control API, the database, Prometheus, faults, processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import requests
from fleet_control_api.service.errors import ClientError
from fleet_timescale.connection import connect
from fleet_timescale.errors import FleetError

from fleet_twin import faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from fleet_control_api.client.remote import Remote

    from fleet_twin.machine.kinds import Place

TIMEOUT_SECONDS = 5.0
LOOK_SECONDS = 0.3
READY_SECONDS = 60.0  # how long a step waits for what it needs to begin with


class RehearsalError(FleetError):
    """A step that cannot be done."""


@dataclass
class Scene:
    """What steps act on and look at; what they leave behind is in the last three."""

    remote: Remote
    dsn: str = field(repr=False)
    prometheus: str
    faults: Path  # folder of the file that says which are set
    places: Sequence[Place]
    read_processes: Callable[[], Mapping[str, int]]
    jobs: list[str] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)  # nodes whose worker we have stopped
    settings: set[tuple[str, str]] = field(default_factory=set)  # key and scope

    def find_node(self, kind: str, number: int = 1) -> str:
        """Return a node of this kind. Raises RehearsalError where there are not so many."""
        name = f"{kind}-{number}"
        if name not in [place.node for place in self.places]:
            raise RehearsalError(f"there is no {name} in this twin; it needs at least 10 nodes")
        return name

    def set_fault(self, fault: str, node: str) -> None:
        """Do to a machine what `fleet twin fault` does. Raises FaultError."""
        faults.check(fault, node, self.places)
        faults.change(self.faults, lambda held: faults.with_fault(held, fault, node))

    def end_fault(self, fault: str, node: str) -> None:
        """End one fault of a node; its others stay."""
        faults.change(self.faults, lambda held: faults.without_fault(held, fault, node))

    def clear_faults(self, node: str | None = None) -> None:
        """End all faults, or those of a node."""
        faults.change(self.faults, lambda held: faults.without(held, node))

    def order(self, count: int, **order: Any) -> str:
        """Order conversations; return the job's id. Raises ClientError."""
        body = {"scenario": "mixed", "count": count, **order}
        job = str(self.remote.call("POST", "/jobs", body=body)["job_id"])
        self.jobs.append(job)
        return job

    def change(self, method: str, path: str, **body: Any) -> Any:
        """Change something through the control API; return its answer. Raises ClientError."""
        return self.remote.call(method, path, body=body)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the database; nothing while it is away."""
        try:
            with connect(self.dsn, "fleet twin rehearse") as connection:
                return connection.execute(query.encode(), values or None).fetchall()
        except psycopg.OperationalError:
            return []

    def value(self, query: str, *values: Any) -> Any:
        """Return the only value of the only row; None while the database is away."""
        return next((next(iter(row.values())) for row in self.rows(query, *values)), None)

    def metrics(self, query: str) -> list[float]:
        """Return the values that Prometheus has for a query now; none while it is away."""
        try:
            found = ask_prometheus(self.prometheus, "/api/v1/query", {"query": query})
        except RehearsalError:
            return []
        return [float(series["value"][1]) for series in found["result"]]

    def find_process(self, program: str) -> int:
        """Return the process of a program of the home. Raises RehearsalError."""
        pid = self.read_processes().get(program)
        if pid is None:
            raise RehearsalError(f"{program} does not run")
        return pid

    def kill(self, program: str) -> int:
        """Kill a program as the kernel does; return its process id. Raises RehearsalError."""
        pid = self.find_process(program)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for(self, what: str, is_true: Callable[[], Any]) -> None:
        """Wait for what a step needs to begin with. Raises RehearsalError."""
        deadline = time.monotonic() + READY_SECONDS
        while not is_true():
            if time.monotonic() > deadline:
                raise RehearsalError(f"not within {READY_SECONDS:.0f} s: {what}")
            time.sleep(LOOK_SECONDS)


def ask_prometheus(
    prometheus: str,
    path: str,
    told: Mapping[str, str] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> dict[str, Any]:
    """Return the data of an answer of Prometheus. Raises RehearsalError."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{prometheus}{path}", params=told, timeout=timeout_seconds)
            data: dict[str, Any] = answer.json()["data"]
    except (requests.RequestException, KeyError) as exc:
        raise RehearsalError(f"Prometheus does not answer: {exc!r}") from exc
    return data


class Heard:
    """What the control API's stream of events has said since this began to listen."""

    def __init__(self, remote: Remote) -> None:
        self._lines: list[str] = []
        self._began = threading.Event()
        threading.Thread(target=self._listen, args=(remote,), daemon=True).start()
        self._began.wait(TIMEOUT_SECONDS)

    def _listen(self, remote: Remote) -> None:
        try:
            with remote.open("GET", "/events") as answer:
                for line in answer.iter_lines(decode_unicode=True):
                    self._lines.append(str(line))
                    self._began.set()
        except (ClientError, requests.RequestException):
            return  # the control API was killed, as it was to be

    def has(self, *words: str) -> bool:
        """Return whether a line of an event has all of these words."""
        return any(all(word in line for word in words) for line in list(self._lines))
