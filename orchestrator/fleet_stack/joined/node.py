"""Start the programs of a home that is a node only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fleet_stack.home import ABSENT, EXTERNAL, HomeError, Part, homes, settings
from fleet_stack.parts import models
from fleet_stack.run import assembly, launch, preflight

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN = ("llm", "exporter", "node", "worker")  # everything else runs where the fleet does


def start_node(base: preflight.Preflight) -> assembly.Stack:
    """Find a model, start what runs here, and return when it is healthy. Raises StackError."""
    record = homes.load(base.home)
    if not base.secrets.has("node.dsn"):
        raise HomeError(
            f"{base.home.root} has not joined its fleet yet; "
            "run `./fleet node join URL CODE` with a new code"
        )
    model = models.find_model(base.environ, base.progress)
    whole = assembly.assemble(base, record.node, {}, model)
    parts = decide_parts(whole.decision.parts, record.control_url)
    whole = replace(whole, decision=replace(whole.decision, parts=parts))
    settings.store(base.home, base.environ, base.secrets)
    launch.launch(whole)
    return whole


def decide_parts(parts: Mapping[str, Part], control_url: str) -> dict[str, Part]:
    """Return what of a fleet is here: the parts of a node; the others are where its API is."""
    elsewhere = Part(ABSENT, reason=f"is part of the fleet at {control_url}")
    here = {name: part if name in OWN else elsewhere for name, part in parts.items()}
    return {**here, "control-api": Part(EXTERNAL, f"{control_url}/api/v1")}
