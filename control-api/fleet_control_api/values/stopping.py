"""The emergency stop: its confirmation, and who has obeyed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from fleet_control_api.values.fields import Answer
from fleet_control_api.values.fleet import Why


class Confirmation(Why):
    """The word that shows that the stop is meant, and why it is."""

    confirm: Literal["STOP"] = Field(description="The word STOP, typed by a person.")


class StoppedNode(Answer):
    """A node at the emergency stop, and how far it has come."""

    node: str
    state: str = Field(
        description="requested, acknowledged, done (its worker has ended), failed or expired."
    )
    command_id: UUID
    acknowledged_at: datetime | None
    acknowledged_seconds: float | None = Field(description="From the stop until then.")
    finished_at: datetime | None
    result: str | None


class EmergencyStop(Answer):
    """The last emergency stop."""

    state: str = Field(description="stopped while it holds, else running or paused.")
    stopped_at: datetime | None = Field(description="Null: there was none yet.")
    nodes: list[StoppedNode]
