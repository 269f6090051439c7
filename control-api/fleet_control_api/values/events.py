"""Events, as they are streamed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import Field

from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.fields import Answer, HeaderText, Request

PLACE = re.compile(r"([0-9]{1,18})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
LAST = UUID(int=2**128 - 1)


class EventHeaders(Request):
    """Headers of a stream of events."""

    last_event_id: HeaderText | None = Field(
        None, alias="Last-Event-ID", description="The id of the last event that was received."
    )


class Event(Answer):
    """One thing that happened."""

    event_id: UUID
    time: datetime = Field(description="When it happened; it may have been told later.")
    node: str | None
    severity: str
    kind: str
    message: str


@dataclass(frozen=True)
class Place:
    """A place in the stream of events, after one of them."""

    told_in: int  # the transaction that told it
    event_id: UUID

    @classmethod
    def parse(cls, text: str) -> Place:
        """Return the place that an id names. Raises NotFoundError for what is no id of ours."""
        found = PLACE.fullmatch(text)
        if found is None:
            raise NotFoundError(
                f"there is no event {text}", remedy="Send the id of the last event, or none."
            )
        return cls(int(found[1]), UUID(found[2]))

    def __str__(self) -> str:
        return f"{self.told_in}-{self.event_id}"


def render_event(place: Place, event: Event) -> bytes:
    """Return a server-sent event."""
    # Only what came from a check constraint may name the kind of a message.
    kind = event.kind if re.fullmatch(r"[a-z_0-9]+", event.kind) else "message"
    data = event.model_dump_json()  # one line: JSON escapes line breaks
    return f"id: {place}\nevent: {kind}\ndata: {data}\n\n".encode()
