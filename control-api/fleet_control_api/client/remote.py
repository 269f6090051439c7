"""The control API as the command line sees it: calls over HTTP, problems as errors."""

from __future__ import annotations

import urllib.parse
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import requests

from fleet_control_api.service.errors import ClientError, LoggedOutError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT = (5.0, 60.0)  # seconds to connect, and between two pieces of an answer
PAGE_ROWS = 1000  # the most that the API gives at once


def quote(part: str) -> str:
    """Return a name as a part of a path. Raises ClientError for one that would lead elsewhere."""
    if "/" in part or part in {"", ".", ".."}:
        # WSGI servers take %2F for a slash, so that quoting is not enough.
        raise ClientError(f"{part!r} is not the name of anything")
    return urllib.parse.quote(part, safe="")


class Bearer(Protocol):
    """What is shown to the API for whoever calls."""

    def read(self) -> str:
        """Return what to show now."""

    def renew(self, refused: str) -> str:
        """Return what to show in place of what was refused; the same when there is no other."""


@dataclass(frozen=True)
class Token:
    """A token that is what it is."""

    value: str

    def read(self) -> str:
        """Return it."""
        return self.value

    def renew(self, refused: str) -> str:
        """Return what was refused: there is no other."""
        return refused


@dataclass(frozen=True)
class Remote:
    """
    One control API; `url` ends in /api/v1.

    `ca_file` is trusted in place of Python's own authorities, `server_name` is expected in place of
    the host in the address.
    """

    url: str
    bearer: Bearer
    timeout: tuple[float, float] = TIMEOUT
    ca_file: str = ""
    server_name: str = ""

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the JSON answer; ClientError says what the API refused, or that it is silent."""
        with self.open(method, path, body=body, query=query) as response:
            try:
                return response.json()
            except requests.RequestException as exc:
                raise ClientError(f"{self.url} does not answer in JSON; is it ours?") from exc

    def read_all(
        self, path: str, key: str, query: Mapping[str, Any] | None = None, most: int | None = None
    ) -> dict[str, Any]:
        """Return a list that comes in pages as one, whole or its first `most` rows."""
        rows: list[Any] = []
        while True:
            limit = PAGE_ROWS if most is None else min(PAGE_ROWS, most - len(rows))
            page: dict[str, Any] = self.call("GET", path, query={**(query or {}), "limit": limit})
            rows += page[key]
            cursor = page.get("next_cursor")
            if cursor is None or len(rows) == most:
                return {**page, key: rows}
            query = {**(query or {}), "cursor": cursor}

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Iterator[requests.Response]:
        """Yield a successful response, its body not yet read."""
        with requests.Session() as session:
            # The token goes to the API and nowhere else: no proxy, no .netrc, no redirect.
            session.trust_env = False
            session.verify = self.ca_file or True
            if self.server_name:
                expect_name(session, self.server_name)
            request = requests.Request(method, self.url + path, json=body, params=query)
            shown = self.bearer.read()
            response = self._send(session, request, shown)
            if response.status_code == requests.codes.unauthorized:
                # Refused at the door: nothing was done, so that it can be sent again.
                renewed = self.bearer.renew(shown)
                if renewed != shown:
                    response = self._send(session, request, renewed)
            if not response.ok:
                raise explain_problem(response)
            yield response

    def _send(
        self, session: requests.Session, request: requests.Request, shown: str
    ) -> requests.Response:
        """Return an answer, its body not yet read. Raises ClientError when there is none."""
        request.headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        try:
            return session.send(
                session.prepare_request(request),
                timeout=self.timeout,
                allow_redirects=False,
                stream=True,
            )
        except requests.exceptions.SSLError as exc:
            raise ClientError(
                f"the certificate of {self.url} is not trusted ({find_cause(exc)})",
                remedy="`./fleet login URL --ca-file FILE` or FLEET_API_CA_FILE names what is.",
            ) from exc
        except OSError as exc:  # that of requests too; a file of certificates that has gone
            if self.ca_file and not Path(self.ca_file).exists():
                raise ClientError(f"the file of certificates {self.ca_file} is gone") from exc
            raise ClientError(
                f"the control API at {self.url} does not answer",
                remedy="`./fleet up` starts it, `./fleet status` shows its state.",
            ) from exc


def expect_name(session: requests.Session, name: str) -> None:
    """Let a session ask for a certificate of this name, and check it, whatever the address."""
    adapter = requests.adapters.HTTPAdapter()
    adapter.poolmanager.connection_pool_kw.update(server_hostname=name, assert_hostname=name)
    session.mount("https://", adapter)


def find_cause(error: BaseException) -> str:
    """Return what the innermost of nested errors says: requests wraps urllib3 wraps ssl."""
    inner = next((a for a in error.args if isinstance(a, BaseException)), None)
    inner = getattr(error, "reason", None) if inner is None else inner
    return find_cause(inner) if isinstance(inner, BaseException) else str(error)


def explain_problem(response: requests.Response) -> ClientError:
    """Return an error answer as an error with its remedy."""
    try:
        problem = response.json()
        title, detail = str(problem["title"]), str(problem["detail"])
        remedy = str(problem.get("remedy", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ClientError(
            f"the control API answered {response.status_code} {response.reason}",
            remedy="`./fleet logs control-api` may say why.",
        )
    is_out = response.status_code == requests.codes.unauthorized
    return (LoggedOutError if is_out else ClientError)(f"{title}: {detail}", remedy=remedy)
