"""
Whether a model server continues an answer that it is given the beginning of.

Only then can a conversation be written line by line. llama.cpp does, vLLM does when it is told to;
others close the beginning, as if it were a whole answer, and start over, or refuse the request. No
list of servers would stay true, so each is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_orchestrator.model_server.endpoint import (
    FIRST_TOKEN_SECONDS,
    Call,
    Continuation,
    Endpoint,
    EndpointError,
    Request,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# A chat as conversations have it. A copy is what the smallest model gets right: SmolLM2 with 135M
# and Qwen2.5 with 0.5B both went on with the next word at every temperature tried. The beginning
# ends with a word: in the middle of one, the pieces of words that models are made of mislead them.
ANSWER = '{"turns": [{"speaker": "agent", "text": "The parcel left the warehouse on Monday."}]}'
NEXT_WORD = "warehouse"
BEGINNING = ANSWER[: ANSWER.index(NEXT_WORD)].rstrip()
MESSAGES = [
    {"role": "system", "content": "You write down phone calls as JSON."},
    {"role": "user", "content": f"Write this down again, word for word: {ANSWER}"},
    {"role": "assistant", "content": BEGINNING},
]
TOKENS_MAX = 4  # enough for the next word, whatever pieces of words the model has


def decide_continuation(answer: str) -> Continuation:
    """Return what a server has done that was to continue BEGINNING."""
    return "continues" if answer.lstrip().startswith(NEXT_WORD) else "starts_over"


def ask(endpoint: Endpoint, call: Call, keep_going: Callable[[], bool]) -> Continuation | None:
    """
    Make the call and fill in what it cost; return what the server does.

    None when nobody waited for the answer. Raises EndpointError when the server fails in a way that
    says nothing about continuing.
    """
    request = Request(
        MESSAGES, None, 1, 0.0, FIRST_TOKEN_SECONDS, tokens_max=TOKENS_MAX, continues=True
    )
    try:
        answer = endpoint.ask(request, call, keep_going)
    except EndpointError as exc:
        if exc.kind == "refused_request":
            return "refuses"
        raise
    return decide_continuation(answer) if call.outcome == "ok" else None
