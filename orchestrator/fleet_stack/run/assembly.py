"""Combine preflight, programs and model into the stack that is to be started."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.home import ABSENT, EXTERNAL, MANAGED, NAMES, Decision, Part, addresses, stack
from fleet_stack.paging import find_server
from fleet_stack.parts import tls
from fleet_stack.run import checksums

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.parts import models, program
    from fleet_stack.run.preflight import Preflight


@dataclass(frozen=True)
class Stack:
    """Everything that is known when the services are to be started."""

    base: Preflight
    decision: Decision
    programs: Mapping[str, program.Program]
    model: models.Model

    @property
    def user(self) -> str:
        """The name of the user that runs everything but PostgreSQL."""
        return self.base.placement.programs.name

    @property
    def node_runtime(self) -> Path:
        """The folder in which our programs of this node exchange files."""
        return Path(self.decision.runtime) / self.decision.node

    def address(self, name: str) -> str:
        """Return host:port of a part that we run."""
        return f"127.0.0.1:{self.base.ports[name]}"

    def public_address(self, name: str) -> str:
        """Return the public address of a part other than the control API."""
        return stack.decide_public_url(self.base.public_url, self.base.ports[name], name)

    def url(self, name: str) -> str:
        """Return where a part answers; empty when it is absent."""
        return self.decision.parts[name].url


def assemble(
    base: Preflight, node: str, programs: Mapping[str, program.Program], model: models.Model
) -> Stack:
    """Return the stack, with the decision for stack.json."""
    parts = decide_parts(base.ports, base.externals, programs, model)
    trust, scheme = base.trust or tls.Trust(), "http"
    if base.trust is not None:
        control, scheme = parts["control-api"], "https"
        parts["control-api"] = replace(control, url=control.url.replace("http:", "https:", 1))
    if base.twin_nodes:
        parts |= decide_twin(base.ports)
    server = find_server(base.environ)
    if server is not None:
        parts["mail"] = Part(EXTERNAL, server.url, f"to {base.environ['FLEET_MAIL_TO']}")
    if not base.environ.get("FLEET_SMS_FILE"):
        parts[stack.SMS_BRIDGE] = Part(ABSENT)
    decision = Decision(
        parts=parts,
        node=node,
        runtime=str(base.runtime),
        inputs=stack.digest_inputs(base.environ, checksums.digest(checksums.ALL)),
        note=base.placement.note,
        grafana_public_url=_grafana_public_url(base, parts["grafana"]),
        public_url=stack.decide_public_url(
            base.public_url, base.ports["control-api"], "control-api", scheme
        ),
        control_ca_file=trust.ca_file,
        control_server_name=trust.server_name,
        twin_nodes=base.twin_nodes,
    )
    return Stack(base, decision, programs, model)


def _grafana_public_url(base: Preflight, part: Part) -> str:
    if part.state == MANAGED:
        return stack.decide_public_url(base.public_url, base.ports["grafana"], "grafana")
    return part.url.rstrip("/") if part.state == EXTERNAL else ""


def decide_twin(ports: Mapping[str, int]) -> dict[str, Part]:
    """Return the parts that differ in a twin: it stands for a node, many times."""
    simulated = dict.fromkeys(stack.SIMULATED, Part(ABSENT, reason="simulated by the twin"))
    return {**simulated, stack.TWIN: Part(MANAGED, stack.render_url("twin", ports["exporter"]))}


def decide_parts(
    ports: Mapping[str, int],
    externals: Mapping[str, str],
    programs: Mapping[str, program.Program],
    model: models.Model,
) -> dict[str, Part]:
    """Return every part of NAMES, each with its state and address."""
    parts: dict[str, Part] = {}
    for name in NAMES:
        url = stack.render_url(name, ports[name]) if name in ports else ""
        found = programs.get(name)
        if name == stack.TWIN:
            parts[name] = Part(ABSENT)
        elif name in externals:
            parts[name] = Part(EXTERNAL, addresses.hide_login(externals[name]))
        elif found is not None and found.path is None:
            parts[name] = Part(ABSENT, reason=found.reason)
        else:
            parts[name] = Part(MANAGED, url)
    if model.url:
        parts["llm"] = Part(EXTERNAL, addresses.hide_login(model.url), model.origin)
    elif model.path is not None:
        parts["llm"] = Part(MANAGED, parts["llm"].url, model.name)
    return parts
