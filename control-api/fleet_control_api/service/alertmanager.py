"""
Alertmanager's API, version 2, as far as silences need it.

By hand: `amtool silence query --alertmanager.url URL`. It knows no callers: whoever reaches it may
silence everything, so people come through the control API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests

from fleet_control_api.service.errors import GatewayError, InvalidError, UnavailableError

TIMEOUT = (2.0, 3.0)  # seconds to connect, and between two pieces of an answer
CALLS_MAX = 4  # at a time: an Alertmanager that hangs must not take the threads of all others
MESSAGE_MAX = 300  # characters of what it says

Matcher = Mapping[str, Any]  # name, value, isRegex, isEqual
Send = Callable[..., requests.Response]


@dataclass(frozen=True)
class Silence:
    """A silence as Alertmanager has it."""

    silence_id: UUID
    matchers: Sequence[Matcher]
    owner: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    state: str  # pending, active or expired

    @property
    def is_over(self) -> bool:
        """True when it mutes nothing any more."""
        return self.state == "expired"


def send(method: str, url: str, body: object = None) -> requests.Response:
    """Return the answer to a request; a login in the address is sent, to there and nowhere else."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, json=body, timeout=TIMEOUT, allow_redirects=False)


class Alertmanager:
    """Silences of one Alertmanager. All raise GatewayError where it does not do what is asked."""

    def __init__(self, url: str, send: Send = send) -> None:
        """`url` is empty where there is none; it may hold a login, which no message does."""
        self._url, self._send = url, send
        self._where = f"Alertmanager at {urlsplit(url).netloc.rpartition('@')[2]}"
        self._calls = BoundedSemaphore(CALLS_MAX)

    def list_silences(self) -> list[Silence]:
        """Return all that it knows, those that are over included."""
        return [self._parse(each) for each in self._call("GET", "silences")]

    def find_silence(self, silence_id: UUID) -> Silence | None:
        """Return a silence; None when it knows none of that number."""
        found = self._call("GET", f"silence/{silence_id}")
        return None if found is None else self._parse(found)

    def put_silence(
        self, matchers: Sequence[Matcher], span: tuple[datetime, datetime], owner: str, reason: str
    ) -> UUID:
        """Set a silence from its beginning to its end; return its number. Raises InvalidError."""
        body = {
            "matchers": matchers,
            "startsAt": span[0].isoformat(),
            "endsAt": span[1].isoformat(),
            "createdBy": owner,
            "comment": reason,
        }
        answer = self._call("POST", "silences", body)
        try:
            return UUID(answer["silenceID"])
        except (KeyError, TypeError, ValueError) as exc:
            raise self._misunderstood() from exc

    def end_silence(self, silence_id: UUID) -> None:
        """End a silence; one that is over already, or unknown, stays so."""
        known = self.find_silence(silence_id)
        if known is not None and not known.is_over:
            self._call("DELETE", f"silence/{silence_id}")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        """Return the JSON of an answer; None for what it does not know."""
        if not self._url:
            raise GatewayError(
                "there is no Alertmanager", remedy="`./fleet status` says how to add one."
            )
        if not self._calls.acquire(blocking=False):
            raise UnavailableError(
                f"{self._where} answers slowly, and others wait for it already",
                remedy="Try again in a moment.",
                retry_seconds=5,
            )
        try:
            response = self._send(method, f"{self._url}/api/v2/{path}", body)
        except requests.RequestException as exc:
            raise GatewayError(
                f"{self._where} does not answer ({type(exc).__name__})",
                remedy="`./fleet status` shows its state, `./fleet up` starts it.",
            ) from exc
        finally:
            self._calls.release()
        return self._read(response)

    def _read(self, response: requests.Response) -> Any:
        if response.status_code == requests.codes.not_found:
            return None
        if response.status_code == requests.codes.bad_request:
            said = response.text.strip('"\n')  # a JSON text, of old versions a plain one
            raise InvalidError(f"Alertmanager refuses it: {said[:MESSAGE_MAX]}")
        if not requests.codes.ok <= response.status_code < requests.codes.multiple_choices:
            raise GatewayError(
                f"{self._where} answered {response.status_code}",
                remedy="`./fleet logs alertmanager` may say why.",
            )
        try:
            return response.json() if response.content else {}
        except requests.RequestException as exc:
            raise self._misunderstood() from exc

    def _parse(self, found: Any) -> Silence:
        try:
            return Silence(
                UUID(found["id"]),
                [
                    # isEqual came later than the others; an old one means that it is.
                    {name: each.get(name, True) for name in ("name", "value", "isRegex", "isEqual")}
                    for each in found["matchers"]
                ],
                found["createdBy"],
                found["comment"],
                datetime.fromisoformat(found["startsAt"]),
                datetime.fromisoformat(found["endsAt"]),
                found["status"]["state"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise self._misunderstood() from exc

    def _misunderstood(self) -> GatewayError:
        return GatewayError(
            f"{self._where} does not answer as an Alertmanager does",
            remedy="Is it another program, or older than 0.25?",
        )
