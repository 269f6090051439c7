"""
The parts of a fleet: which of them we run, and where each answers.

stack.json in the home stores what the last `up` decided, for the other commands.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fleet_stack.home.errors import HomeError
from fleet_stack.home.files import digest_file, store_text
from fleet_stack.paging import COPIED_FILES
from fleet_stack.paging import INPUTS as PAGING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home.homes import Home

NAMES = (
    "postgres",
    "prometheus",
    "alertmanager",
    "grafana",
    "llm",
    "mail",
    "exporter",
    "node",
    "worker",
    "master",
    "control-api",
    "twin",
    "sms-bridge",
)
# What a twin simulates on each of its machines; a real fleet runs them here instead.
SIMULATED = ("llm", "exporter", "node", "worker")
TWIN, SMS_BRIDGE = "twin", "sms-bridge"
EXTERNALS = {
    "postgres": "FLEET_EXTERNAL_DATABASE_URL",
    "prometheus": "FLEET_EXTERNAL_PROMETHEUS_URL",
    "alertmanager": "FLEET_EXTERNAL_ALERTMANAGER_URL",
    "grafana": "FLEET_EXTERNAL_GRAFANA_URL",
}
# Files with the control API's certificate, its key, and who signed it.
TLS = ("FLEET_CONTROL_TLS_CERTIFICATE", "FLEET_CONTROL_TLS_KEY", "FLEET_CONTROL_TLS_CA")
# The settings of a home, which may be changed at each `up`; EXTERNALS are fixed at the first start.
INPUTS = (
    "FLEET_GRAFANA_HOME",
    "FLEET_PROMETHEUS_HOME",
    "FLEET_ALERTMANAGER_HOME",
    "FLEET_MODEL",
    "FLEET_LLM",
    "FLEET_PUBLIC_URL",
    "FLEET_GAME_EXECUTABLES",
    "FLEET_PEER_LISTEN",
    "FLEET_PEER_ADDRESS",
    *TLS,
    *PAGING,
)
MANAGED, ABSENT, EXTERNAL = "managed", "absent", "external"
SCHEMES = {"postgres": "postgresql", "mail": "smtp"}
PATHS = {
    "postgres": "/fleet",
    "exporter": "/metrics",
    "master": "/metrics",
    "control-api": "/api/v1",
}


@dataclass(frozen=True)
class Part:
    """One part of the fleet: managed by us, absent for a reason, or external."""

    state: str
    url: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Decision:
    """What the last `up` decided; the content of stack.json."""

    parts: Mapping[str, Part]
    node: str
    runtime: str  # folder with the supervisor's socket and the node's folder
    inputs: str = ""
    note: str = ""
    grafana_public_url: str = ""
    public_url: str = ""  # of the control API, as people browse it
    # How callers trust the control API, where its address is https; empty: as any other server.
    control_ca_file: str = ""
    control_server_name: str = ""
    twin_nodes: int = 0

    @property
    def shown(self) -> list[str]:
        """The names of the parts that people are told of: not those that nobody asked for."""
        unasked = set() if self.twin_nodes else {TWIN}
        if self.parts[SMS_BRIDGE].state == ABSENT:
            unasked.add(SMS_BRIDGE)
        return [name for name in NAMES if name not in unasked]

    @property
    def is_node_only(self) -> bool:
        """True for a home that runs an agent and whose control API is elsewhere."""
        return self.parts["control-api"].state == EXTERNAL and self.parts["node"].state == MANAGED

    @property
    def managed(self) -> list[str]:
        """The names of the parts that we run."""
        return [name for name in NAMES if self.parts[name].state == MANAGED]


def render_url(name: str, port: int) -> str:
    """Return the loopback address of a part that we run."""
    return f"{SCHEMES.get(name, 'http')}://127.0.0.1:{port}{PATHS.get(name, '')}"


def decide_first(ports: Mapping[str, int], runtime: str) -> Decision:
    """Return the decision of a start that has only the database so far."""
    parts = dict.fromkeys(
        NAMES, Part(ABSENT, reason="the start was interrupted before this; run `./fleet up` again")
    )
    parts["postgres"] = Part(MANAGED, render_url("postgres", ports["postgres"]))
    return Decision(parts, node="", runtime=runtime)


def decide_public_url(public_url: str, port: int, name: str, scheme: str = "http") -> str:
    """
    Return the public address of a part.

    Loopback by default. The control API takes all of the given address; other parts take its host
    and their own port, since no proxy that knows a path stands before them.
    """
    if not public_url:
        return f"{scheme}://127.0.0.1:{port}"
    if name == "control-api":
        return public_url.rstrip("/")
    given = urlsplit(public_url)
    host = f"[{given.hostname}]" if ":" in (given.hostname or "") else given.hostname
    return f"{given.scheme}://{host}:{port}"


def digest_inputs(environ: Mapping[str, str], checkout: str) -> str:
    """
    Return a fingerprint of the settings that `up` read, and of the checkout's checksum.

    Files of people count with what is in them now: a renewed certificate, another password.
    """
    given = [environ.get(name, "") for name in INPUTS]
    files = [digest_file(environ[name]) for name in (*TLS, *COPIED_FILES) if environ.get(name)]
    return hashlib.sha256(json.dumps([checkout, *given, *files]).encode()).hexdigest()


def store(home: Home, decision: Decision) -> None:
    """Store a decision."""
    store_text(home.path("stack.json"), json.dumps(asdict(decision), indent=2) + "\n")


def load(home: Home) -> Decision | None:
    """Return the last decision; None before the first one. Raises HomeError for a damaged file."""
    path = home.path("stack.json")
    try:
        entry = json.loads(path.read_text())
        # Written before there was one of these, it does not know of it.
        told = {TWIN: asdict(Part(ABSENT)), SMS_BRIDGE: asdict(Part(ABSENT)), **entry["parts"]}
        parts = {name: Part(**told[name]) for name in NAMES}
        return Decision(**{**entry, "parts": parts})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as exc:
        raise HomeError(f"{path} is damaged ({exc!r}); remove it and run `./fleet up`") from exc
