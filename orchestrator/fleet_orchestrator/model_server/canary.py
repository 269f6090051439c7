"""
A short call that shows whether a model server can write at all.

It asks for a sentence under a schema, as conversations are asked for: a server that answers, but
not as it was asked, would fail them all.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fleet_orchestrator.errors import OrchestratorError
from fleet_orchestrator.model_server.endpoint import FIRST_TOKEN_SECONDS, Call, Endpoint, Request

if TYPE_CHECKING:
    from collections.abc import Callable

SENTENCE = {"type": "string", "minLength": 2, "maxLength": 40}
SCHEMA = {
    "type": "object",
    "properties": {"text": SENTENCE},
    "required": ["text"],
    "additionalProperties": False,
}
MESSAGES = [{"role": "user", "content": "Say hello to a customer on the phone, as JSON."}]
TOKENS_MAX = 64
SECONDS_MAX = FIRST_TOKEN_SECONDS


class CanaryError(OrchestratorError):
    """The server answered, but not with what was asked for."""


def ask(endpoint: Endpoint, call: Call, keep_going: Callable[[], bool]) -> None:
    """
    Make the call and fill in what it cost.

    Raises EndpointError, and CanaryError for an answer that is not what the schema allows or has no
    end; also when keep_going() turned false.
    """
    request = Request(MESSAGES, SCHEMA, 1, 0.0, SECONDS_MAX, tokens_max=TOKENS_MAX)
    answer = endpoint.ask(request, call, keep_going)
    if call.outcome != "ok":
        raise CanaryError(f"the model server did not end its answer within {SECONDS_MAX:g} s")
    if not is_sentence(answer):
        call.outcome = "invalid"
        raise CanaryError("the model server answers, but not with the JSON of its schema")


def is_sentence(answer: str) -> bool:
    """True when the answer is as SCHEMA says."""
    try:
        text = json.loads(answer)["text"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(text, str) and bool(text.strip())
