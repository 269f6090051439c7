"""
What a failed attempt is called, what people are told of it, how long its server wants rest. Pure.

Nobody is blamed here: the database decides whether a failure counts against its task once this
node has shown whether it can write at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet_orchestrator.generation.conversation import StoppedError
from fleet_orchestrator.generation.method import BadAnswerError
from fleet_orchestrator.model_server.canary import CanaryError
from fleet_orchestrator.model_server.endpoint import EndpointError
from fleet_orchestrator.store import DatabaseAwayError

RETRY_AFTER_SECONDS_MAX = 300.0
MESSAGE_CHARACTERS_MAX = 500  # a server may answer with a page


@dataclass(frozen=True)
class Failure:
    """`kind` is one lower-case word of fleet.task_failures, None when nobody failed."""

    kind: str | None
    message: str


def decide_failure(exc: Exception) -> Failure:
    """Return what to write down of an attempt that ended with this error."""
    if isinstance(exc, StoppedError | DatabaseAwayError):
        return Failure(None, str(exc))
    if isinstance(exc, EndpointError):
        message = f"{exc}; it said: {exc.said}" if exc.said else str(exc)
        return Failure(exc.kind, message[:MESSAGE_CHARACTERS_MAX])
    if isinstance(exc, BadAnswerError | CanaryError):
        return Failure("bad_answer", str(exc))
    return Failure("internal_error", type(exc).__name__)


def decide_delay(exc: Exception) -> float:
    """Return for how many seconds a server wants no call, as it said in its error."""
    seconds = exc.retry_after_seconds if isinstance(exc, EndpointError) else None
    return min(RETRY_AFTER_SECONDS_MAX, seconds or 0.0)
