"""As whom a command calls: with a token that was given, or with a login that is renewed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fleet_control_api.service.errors import ClientError, LoggedOutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.sessions import Session, SessionFolder

MARGIN_SECONDS = 30.0  # an access token that ends sooner is renewed before it is used


@dataclass(frozen=True)
class SessionBearer:
    """
    The login that is kept for an address.

    Its refresh token is good once, and a second use ends the session as stolen: so it is read and
    replaced under a lock, and who waited for the lock takes what the other has brought.
    """

    folder: SessionFolder
    remote: Remote  # to whom nothing is shown
    clock: Callable[[], float] = time.time

    def read(self) -> str:
        """Return an access token that is good for a while. Raises ClientError."""
        session = self.load()
        if session.access_until - MARGIN_SECONDS > self.clock():
            return session.access_token
        return self._replace(session)

    def renew(self, refused: str) -> str:
        """Return an access token for one that was refused. Raises LoggedOutError."""
        session = self.load()
        return self._replace(session) if session.access_token == refused else session.access_token

    def _replace(self, seen: Session) -> str:
        with self.folder.lock(self.remote.url, sum(self.remote.timeout)):
            session = self.load()
            # Access tokens of one second are alike; refresh tokens never are.
            if session.refresh_token != seen.refresh_token:
                return session.access_token
            sent = {"refresh_token": session.refresh_token}
            try:
                answer = self.remote.call("POST", "/auth/refresh", body=sent)
            except LoggedOutError as exc:
                raise LoggedOutError(
                    f"the login of {session.login} at {self.remote.url} has ended",
                    remedy="`./fleet login` begins another, `./fleet logout` forgets this one.",
                ) from exc
            renewed = take_tokens(session, answer, self.clock())
            self.folder.store(renewed)
            return renewed.access_token

    def load(self) -> Session:
        """Return the login as it is now. Raises ClientError when it was forgotten meanwhile."""
        session = self.folder.load(self.remote.url)
        if session is None:
            raise ClientError(
                f"nobody is logged in at {self.remote.url}", remedy="`./fleet login` does."
            )
        return session


def take_tokens(session: Session, answer: Mapping[str, Any], now: float) -> Session:
    """Return the login with the tokens of an answer. Raises ClientError for another answer."""
    try:
        return replace(
            session,
            login=str(answer["login"]),
            access_token=str(answer["access_token"]),
            refresh_token=str(answer["refresh_token"]),
            access_until=now + float(answer["expires_in"]),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise ClientError(f"{session.url} answers without tokens; is it ours?") from exc
