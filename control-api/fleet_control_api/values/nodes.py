"""Nodes told to do something, joining and leaving."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from fleet_control_api.values.fields import WHOLE, Answer, Request, Secret, Text

NodeName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
PLACE = r"^([A-Za-z0-9][A-Za-z0-9.-]{0,62}|\[[0-9a-f:]{2,39}\]):[0-9]{1,5}$"
Address = Annotated[str, StringConstraints(pattern=PLACE)]
DEADLINE = 300  # seconds, of a command that says nothing of it
Seconds = Annotated[int, Field(strict=True, ge=1, le=86400), WHOLE]
Hours = Annotated[int, Field(strict=True, ge=1, le=168), WHOLE]


class NodeId(Request):
    """Which node."""

    node: NodeName = Field(description="The name of the node.")


class NodeOrder(NodeId):
    """What a node is to do, and why."""

    reason: Text | None = Field(None, description="Why, for the audit log.")
    deadline_seconds: Seconds = Field(
        DEADLINE, description="A node that has not begun by then never will."
    )


class Removal(NodeId):
    """Which node to send away, and why."""

    reason: Text | None = Field(None, description="Why, for the audit log.")


class Removed(Answer):
    """A node that is no longer one."""

    node: str
    state: str = Field(description="removed.")


class CommandId(Request):
    """Which command to a node."""

    command_id: UUID = Field(description="The id of the command.")


class NodeCommand(Answer):
    """A command to a node, and how far it has come."""

    command_id: UUID
    node: str
    verb: str = Field(description="start, stop, restart or drain.")
    arguments: dict[str, Any]
    state: str = Field(description="requested, acknowledged, done, failed or expired.")
    requested_by: str
    reason: str
    time: datetime = Field(description="When it was requested.")
    deadline_at: datetime
    acknowledged_at: datetime | None
    finished_at: datetime | None
    duration_seconds: float | None
    result: str | None


class NewInvitation(Request):
    """For how long one machine may join."""

    hours: Hours = Field(24, description="For how many hours the code is good, once.")


class NodeInvitation(Answer):
    """What a machine joins with."""

    code: str | None = Field(
        None, description="Shown once; null when its idempotency key is sent again."
    )
    expires_at: datetime


class Entry(Request):
    """A machine that joins."""

    code: Secret = Field(description="That of an invitation.")
    node_id: UUID = Field(description="The id in a file of the machine.")
    host: HostName = Field(description="Its host name, which becomes the node's name.")
    scrape_address: Address = Field(description="Where Prometheus finds its exporter.")


class Joined(Answer):
    """What a machine needs to work."""

    node: str
    database_url: str = Field(description="With the login of this node alone; shown once.")
    scrape_token: str | None = Field(
        description="What Prometheus shows to exporters; null where it shows none."
    )
