"""
Requests that are sent again under one idempotency key: the second is answered with the first.

The answer is kept in the transaction of the change, so that there is none without the other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import request

from fleet_control_api.service.context import caller, services
from fleet_control_api.values.arguments import parse_headers
from fleet_control_api.values.fields import KeyHeaders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_timescale.connection import Connection

    from fleet_control_api.changes.commands import Command, Reply

FIND = "SELECT control.find_answer(%s, %s, %s, %s, %s) AS answer"
KEEP = "SELECT control.keep_answer(%s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Keyed:
    """A request under a key of its caller."""

    columns: Sequence[object]  # of the caller, the key, the action, the request

    @classmethod
    def read(cls, action: str) -> Keyed | None:
        """Return this request; None without a key. Raises InvalidError for an unusable one."""
        key = parse_headers(KeyHeaders, request.headers).idempotency_key
        if key is None:
            return None
        return cls([caller().way, caller().actor, key, action, digest_request()])

    def find(self, connection: Connection, command: Command[Any, Reply]) -> Reply | None:
        """Return the answer to the same request before, if any."""
        answer = connection.execute(FIND, self.columns).fetchall()[0]["answer"]
        return None if answer is None else command.answer.model_validate(answer)

    def keep(self, connection: Connection, command: Command[Any, Reply], answer: Reply) -> None:
        """Keep the answer for a day, without its secrets."""
        kept = answer.model_dump(mode="json", exclude=dict(command.secrets))
        connection.execute(KEEP, [*self.columns, json.dumps(kept)])


def digest_request() -> bytes:
    """
    Return what tells this request from another one.

    With a key of ours: the plain hash of a body with a password would be a way to guess it.
    """
    told = [request.method.encode(), request.path.encode(), request.get_data()]
    return hmac.digest(services().settings.jwt_key.encode(), b"\0".join(told), hashlib.sha256)
