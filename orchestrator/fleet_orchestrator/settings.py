"""What the programs of this component are told by their launcher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_timescale import settings

from fleet_orchestrator.peers.address import PeerAddress

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class NodeSettings:
    """For node agent and worker."""

    dsn: str
    runtime_folder: Path
    llm_url: str
    llm_model: str
    node: str
    events_file: Path  # of those that wait to be told
    supervisor_log: Path | None = None  # of what else runs here; None: nobody to ask
    peer_address: PeerAddress | None = None  # None: peers are neither listened for nor called

    @property
    def wanted_file(self) -> Path:
        """Where the agent keeps what is wanted of its worker: beside the events."""
        return self.events_file.with_name("wanted.json")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> NodeSettings:
        """
        Read FLEET_NODE, _DATABASE_URL_FILE, _RUNTIME_DIR, _LLM_MODEL, _LLM_URL or _LLM_URL_FILE.

        The file is for an address that holds a login. Events wait in FLEET_EVENTS_FILE, without it
        in the runtime folder; FLEET_SUPERVISOR_LOG is read where it is set. FLEET_PEER_LISTEN and
        FLEET_PEER_ADDRESS say where peers call.
        """
        runtime_folder = Path(settings.text(environ, "FLEET_RUNTIME_DIR"))
        log = environ.get("FLEET_SUPERVISOR_LOG", "").strip()
        is_secret = bool(environ.get("FLEET_LLM_URL_FILE"))
        read_url = settings.secret if is_secret else settings.text
        return cls(
            dsn=settings.secret(environ, "FLEET_DATABASE_URL"),
            runtime_folder=runtime_folder,
            llm_url=read_url(environ, "FLEET_LLM_URL"),
            llm_model=settings.text(environ, "FLEET_LLM_MODEL"),
            node=settings.text(environ, "FLEET_NODE"),
            events_file=Path(
                settings.text(environ, "FLEET_EVENTS_FILE", str(runtime_folder / "events.json"))
            ),
            supervisor_log=Path(log) if log else None,
            peer_address=PeerAddress.from_environ(environ),
        )


@dataclass(frozen=True)
class MasterSettings:
    """For the master."""

    dsn: str
    host: str
    port: int
    prometheus_url: str = ""  # empty: there is none, and alerts are not sampled

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> MasterSettings:
        """
        Read FLEET_DATABASE_URL_FILE, FLEET_LISTEN (host:port), FLEET_PROMETHEUS_URL.

        FLEET_PROMETHEUS_URL_FILE is for an address that holds a login.
        """
        host, port = settings.address(environ, "FLEET_LISTEN")
        return cls(
            settings.secret(environ, "FLEET_DATABASE_URL"),
            host,
            port,
            settings.part_url(environ, "FLEET_PROMETHEUS_URL"),
        )
