"""
Authenticate the presses of Grafana's buttons by Grafana's signature.

Grafana's data-source proxy passes requests of any signed-in person on. Two proofs are needed: the
proxy secret (only the fleet-control data source sends it; each other proxied source gets the same
signed identity and could replay it) and X-Grafana-Id, which Grafana signs with a key that it
publishes. All refusals are 403: Grafana turns 401 into 400.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

import jwt
import requests

from fleet_control_api.callers.identity import Identity, Role
from fleet_control_api.service.errors import RefusedError, UnavailableError

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

log = logging.getLogger(__name__)

AUDIENCE = "org:1"  # the main organisation, the only one that has our dashboards
LEEWAY = 10  # seconds that the two clocks may differ
REFETCH_PAUSE = 5.0  # seconds between two fetches: forged key ids must not flood Grafana
KEYS_LIFE = 3600.0  # seconds; what Grafana's own max-age says
FETCH_TIMEOUT = 3.0  # seconds
ROLES = {"Admin": Role.ADMIN, "Editor": Role.OPERATOR}

Fetch = Callable[[str], dict[str, Any]]


def fetch_keys(url: str) -> dict[str, Any]:
    """
    Return Grafana's public keys (a JWKS).

    No redirects and no proxies, since the answer is trusted.
    """
    with requests.Session() as session:
        session.trust_env = False
        response = session.get(url, timeout=FETCH_TIMEOUT, allow_redirects=False)
        response.raise_for_status()
        keys: dict[str, Any] = response.json()
    return keys


class Keys:
    """Grafana's public keys by their id, fetched again when an unknown id comes."""

    def __init__(
        self, url: str, fetch: Fetch = fetch_keys, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._lock = Lock()
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._keys: dict[str, jwt.PyJWK] = {}

    def get(self, key_id: str) -> jwt.PyJWK:
        """
        Return the key.

        Raises RefusedError when Grafana has none of that id, UnavailableError when it is
        silent.
        """
        with self._lock:
            now = self._clock()
            is_stale = key_id not in self._keys or now - self._fetched_at > KEYS_LIFE
            if is_stale and now - self._tried_at >= REFETCH_PAUSE:
                self._tried_at = now
                self._keys = self._load()
                self._fetched_at = now
            if now - self._fetched_at > KEYS_LIFE:
                raise UnavailableError(
                    "Grafana's signing keys are out of date.", remedy="Is Grafana running?"
                )
            if key_id not in self._keys:
                raise RefusedError("X-Grafana-Id was signed with a key that Grafana does not have")
            return self._keys[key_id]

    def _load(self) -> dict[str, jwt.PyJWK]:
        try:
            entries = self._fetch(self._url)["keys"]
            keys = [jwt.PyJWK(entry, "ES256") for entry in entries if entry.get("kty") == "EC"]
        except (
            requests.RequestException,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            jwt.PyJWTError,
        ) as exc:
            log.warning("Grafana's signing keys cannot be fetched", extra={"error": str(exc)})
            raise UnavailableError(
                "Grafana's signing keys cannot be fetched.",
                remedy="Is Grafana running? `./fleet status` says so.",
                retry_seconds=REFETCH_PAUSE,
            ) from exc
        return {key.key_id: key for key in keys if key.key_id}


class GrafanaAuthenticator:
    """Authenticates people who come through our data source in Grafana."""

    def __init__(self, secret: str, issuer: str, keys: Keys | None) -> None:
        self._secret = secret.encode()
        self._issuer = issuer
        self._keys = keys

    def identify(self, headers: Headers) -> Identity:
        """Return who clicked. Raises RefusedError unless both proofs are valid."""
        sent = headers.get("X-Fleet-Proxy-Secret", "")
        if not hmac.compare_digest(sent.encode(), self._secret):
            raise RefusedError(
                "this address is for Grafana's buttons only",
                remedy="Press the button in Grafana, or use the matching REST address.",
            )
        if self._keys is None:
            raise RefusedError("no Grafana is configured", remedy="Set FLEET_GRAFANA_URL.")
        return decide_identity(self._verify(headers.get("X-Grafana-Id", "")))

    def _verify(self, token: str) -> dict[str, Any]:
        if not token:
            raise RefusedError("X-Grafana-Id is missing", remedy="Log in to Grafana again.")
        assert self._keys is not None  # noqa: S101 - identify() looked
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != "ES256" or not isinstance(header.get("kid"), str):
                raise RefusedError(
                    "X-Grafana-Id is not signed as Grafana signs (ES256 with a key id)"
                )
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys.get(header["kid"]),
                algorithms=["ES256"],
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as exc:
            raise RefusedError(
                f"X-Grafana-Id is not valid: {exc}",
                remedy=f"Reload Grafana; the issuer expected is {self._issuer}.",
            ) from exc
        return claims


def decide_identity(claims: Mapping[str, Any]) -> Identity:
    """
    Return the person of verified claims.

    Raises RefusedError for service accounts, anonymous and nameless ones.
    """
    kind, name = claims.get("type"), claims.get("username") or claims.get("sub")
    if kind != "user" or not isinstance(name, str) or not name.isprintable() or not name:
        raise RefusedError(
            f"buttons are for people, not for a {kind or 'caller of no type'}",
            remedy="Programs use an API token on the REST addresses.",
        )
    return Identity(name[:100], "grafana", ROLES.get(str(claims.get("role")), Role.VIEWER))
