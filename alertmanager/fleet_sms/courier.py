"""Send one message over HTTP, and say what became of it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_sms.provider import Call

TIMEOUT_SECONDS = 10.0
ANSWER_BYTES = 4000
REASON_LENGTH = 200
# The login may be put right, the limit passes, the request is not at fault.
AGAIN = frozenset({401, 403, 408, 409, 425, 429})


@dataclass(frozen=True)
class Answer:
    """What a provider said: `is_final` is False where trying again may help."""

    is_sent: bool
    is_final: bool = True
    reason: str = ""
    retry_seconds: float = 0.0  # as it asked for


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A message is not sent on to where an answer points: the login would go with it."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


_opener = urllib.request.build_opener(NoRedirects)


def send(call: Call, timeout_seconds: float = TIMEOUT_SECONDS) -> Answer:
    """Send a message."""
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked when the file was read
        call.url, call.body, dict(call.headers), method=call.method
    )
    try:
        with _opener.open(request, timeout=timeout_seconds) as answer:
            answer.read(ANSWER_BYTES)
            return Answer(is_sent=True)
    except urllib.error.HTTPError as exc:
        with exc:
            return parse_refusal(exc.code, dict(exc.headers), exc.read(ANSWER_BYTES))
    except (OSError, ValueError) as exc:
        reason = f"cannot be reached: {getattr(exc, 'reason', exc)}"
        return Answer(is_sent=False, is_final=False, reason=reason[:REASON_LENGTH])


def parse_refusal(code: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Return what a refusal means."""
    text = body.decode(errors="replace")
    try:
        told = json.loads(text)
        text = str(told.get("message") or told.get("error") or text)
    except (ValueError, AttributeError):
        pass  # not every provider answers in JSON
    asked = headers.get("Retry-After") or ""
    return Answer(
        is_sent=False,
        is_final=code < 500 and code not in AGAIN,
        reason=f"{code} {' '.join(text.split())}"[:REASON_LENGTH],
        retry_seconds=float(asked) if asked.isdecimal() else 0.0,
    )
