"""Whether the audit log is whole."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from fleet_control_api.values.fields import Answer, Request

Head = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,18}:)?[0-9a-f]{12,64}$")]


class AuditHead(Request):
    """A head of an earlier time."""

    head: Head | None = Field(
        None,
        description="ROWS:HASH or HASH, as the log of the control API has it each minute: the "
        "audit log must still have that row.",
    )


class AuditCheck(Answer):
    """What was found."""

    audit_rows: int
    head: str = Field(description="ROWS:HASH of the last row; keep it elsewhere.")
    fault: str | None = Field(description="changed, inserted, removed, cut off; null: whole.")
    row_number: int | None = Field(description="The first row that it is about.")
    explanation: str | None
