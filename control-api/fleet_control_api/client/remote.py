"""The control API as the command line sees it: calls over HTTP, problems as one-sentence errors."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT = (5, 60)  # seconds to connect, and between two pieces of an answer


@dataclass(frozen=True)
class Remote:
    """One control API; `url` ends in /api/v1."""

    url: str
    token: str

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
                    timeout=TIMEOUT,
                    allow_redirects=False,
                    stream=True,
                )
            except requests.RequestException as exc:
                raise ClientError(
                    f"the control API at {self.url} does not answer; "
                    "`./fleet up` starts it, `./fleet status` shows its state"
                ) from exc
            if not response.ok:
                raise ClientError(describe_problem(response))
            yield response


def describe_problem(response: requests.Response) -> str:
    """Return an error answer as a sentence, with its remedy."""
    try:
        problem = response.json()
        detail, remedy = str(problem["detail"]), str(problem.get("remedy", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the control API answered {response.status_code} {response.reason}"
    return f"{detail.rstrip('.')}. {remedy}".strip() if remedy else detail
