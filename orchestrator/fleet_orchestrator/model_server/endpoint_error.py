"""What can be wrong with a model server, each in one word that people and SQL know it by."""

from __future__ import annotations

from typing import Literal

from fleet_orchestrator.errors import OrchestratorError

Kind = Literal[
    "unreachable",
    "timeout",
    "refused_request",
    "http_error",
    "not_a_stream",
    "empty",
    "error_event",
    "broken_stream",
]
MEANINGS: dict[Kind, str] = {
    "unreachable": "cannot be reached",
    "timeout": "did not answer in time",
    "refused_request": "answered {status}",
    "http_error": "answered {status}",
    "not_a_stream": "answered, but not as a model server does",
    "empty": "answered without a word",
    "error_event": "reported an error in its answer",
    "broken_stream": "broke its answer off",
}
SAID_CHARACTERS_MAX = 500  # a server may answer with a page


class EndpointError(OrchestratorError):
    """
    The model server did not answer, or answered with an error.

    `said` is what the server said, in one line; `retry_after_seconds` when it wants to be asked
    again (Retry-After). The message says no more than the kind of error:
    addresses may hold logins, and servers quote prompts.
    """

    def __init__(
        self,
        kind: Kind,
        said: str = "",
        status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.kind = kind
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        printable = "".join(c if c.isprintable() else " " for c in said)
        self.said = " ".join(printable.split())[:SAID_CHARACTERS_MAX]
        super().__init__(f"the model server {MEANINGS[kind].format(status=status)}")
