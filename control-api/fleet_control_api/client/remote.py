"""The control API as the command line sees it: calls over HTTP, problems as errors."""

from __future__ import annotations

import urllib.parse
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from fleet_control_api.service.errors import ClientError

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


@dataclass(frozen=True)
class Remote:
    """One control API; `url` ends in /api/v1."""

    url: str
    token: str
    timeout: tuple[float, float] = TIMEOUT

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
            try:
                response = session.request(
                    method,
                    self.url + path,
                    json=body,
                    params=query,
                    headers={"Authorization": f"Bearer {self.token}"},
                    timeout=self.timeout,
                    allow_redirects=False,
                    stream=True,
                )
            except requests.RequestException as exc:
                raise ClientError(
                    f"the control API at {self.url} does not answer",
                    remedy="`./fleet up` starts it, `./fleet status` shows its state.",
                ) from exc
            if not response.ok:
                raise explain_problem(response)
            yield response


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
    return ClientError(f"{title}: {detail}", remedy=remedy)
