"""Models of nodes: what is wanted, tried, set."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from fleet_control_api.values.config import Version
from fleet_control_api.values.fields import Answer, Text
from fleet_control_api.values.nodes import NodeId

ModelName = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]{0,198}[!-~])?$")]


class ModelWish(NodeId):
    """The model that a node is to write with."""

    model: ModelName = Field(description="The model as the node's server names it.")
    reason: Text | None = Field(None, description="Why, for history and audit log.")
    version: Version | None = Field(
        None,
        description="The version of the node's llm_model that was seen, 0 for none: another one by "
        "the time it is set refuses it.",
    )


class ModelProbe(Answer):
    """A model that was wanted, and how far its try is."""

    probe_id: UUID
    node: str
    model: str
    state: str = Field(description="requested, set, refused or expired.")
    author: str
    reason: str
    requested_at: datetime
    finished_at: datetime | None
    result: str | None = Field(description="What the node said of the try.")
