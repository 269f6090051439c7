"""A Grafana over its HTTP API, through grafana-client; its errors as sentences."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import niquests
from fleet_timescale.errors import FleetError
from grafana_client import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, GrafanaUnauthorizedError

from fleet_dashboards.push.wanted import FOLDER_TITLE, FOLDER_UID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleet_dashboards.datasources import Json

TIMEOUT_SECONDS = 15.0
NOT_FOUND, FORBIDDEN, CHANGED = 404, 403, 412
Credential = str | tuple[str, str]  # a token, or login and password


class GrafanaError(FleetError):
    """Grafana could not be compared or changed."""


@dataclass(frozen=True)
class Server:
    """One Grafana."""

    url: str
    api: Any

    @classmethod
    def at(cls, url: str, credential: Credential, ca_file: str = "") -> Server:
        """Return the Grafana at an address. Raises GrafanaError for one that is none."""
        try:
            parts = urlsplit(url)
            is_usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            is_usable = False
        if not is_usable or parts.username or parts.query:
            raise GrafanaError(f"{url!r} is no address of a Grafana; use one like http://HOST:3000")
        path = f"{parts.path.strip('/')}/".lstrip("/")
        api = GrafanaApi(
            credential,
            host=f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname,
            port=parts.port,
            protocol=parts.scheme,
            url_path_prefix=path,
            verify=ca_file or True,
            timeout=TIMEOUT_SECONDS,
        )
        return cls(url, api)

    def close(self) -> None:
        """Close the connections."""
        self.api.client.s.close()

    def read_version(self) -> str:
        """Return its version. Raises GrafanaError when nobody answers or the login is wrong."""
        with self._sentences("be asked for its version"):
            return str((self.api.health.check() or {}).get("version", ""))

    def read_settings(self) -> Json | None:
        """Return the settings of its file; None where the login may not read them."""
        return self._find("settings", self.api.admin.settings, (NOT_FOUND, FORBIDDEN))

    def find_folder(self) -> Json | None:
        """Return our folder."""
        return self._find("the folder", lambda: self.api.folder.get_folder(FOLDER_UID))

    def find_source(self, uid: str) -> Json | None:
        """Return a data source."""
        return self._find(f"source {uid}", lambda: self.api.datasource.get_datasource_by_uid(uid))

    def find_dashboard(self, uid: str) -> Json | None:
        """Return a dashboard with what Grafana knows of it."""
        return self._find(f"dashboard {uid}", lambda: self.api.dashboard.get_dashboard(uid))

    def make_folder(self) -> None:
        """Make our folder."""
        with self._sentences("make the folder"):
            self.api.folder.create_folder(FOLDER_TITLE, FOLDER_UID)

    def save_source(self, wanted: Json, found: Json | None) -> None:
        """Make a data source, or change one, which keeps the name that people gave it."""
        with self._sentences(f"save source {wanted['uid']}"):
            if found is None:
                self.api.datasource.create_datasource(wanted)
            else:
                kept = {"name": found["name"], "isDefault": found.get("isDefault", False)}
                self.api.datasource.update_datasource_by_uid(wanted["uid"], {**wanted, **kept})

    def save_dashboard(self, dashboard: Json, message: str) -> None:
        """Save a dashboard over the version that it names, and over no other."""
        with self._sentences(f"save dashboard {dashboard['uid']}"):
            self.api.dashboard.update_dashboard(
                {
                    "dashboard": dashboard,
                    "folderUid": FOLDER_UID,
                    "message": message,
                    "overwrite": False,
                }
            )

    def _find(
        self, what: str, read: Callable[[], Any], absent: tuple[int, ...] = (NOT_FOUND,)
    ) -> Json | None:
        with self._sentences(f"read {what}"):
            try:
                found: Json = read()
            except GrafanaClientError as exc:
                if exc.status_code in absent:
                    return None
                raise
            return found

    @contextmanager
    def _sentences(self, doing: str) -> Iterator[None]:
        """Raise GrafanaError for what Grafana refuses, and where it does not answer."""
        try:
            yield
        except GrafanaUnauthorizedError as exc:
            raise GrafanaError(
                f"Grafana at {self.url} does not know this login; give --token-file, or --user "
                "with its password"
            ) from exc
        except GrafanaException as exc:
            said = {
                FORBIDDEN: "this login may not; use one with the role Admin",
                CHANGED: "it was changed there meanwhile; run the command again",
            }.get(exc.status_code, str(exc.message or exc.status_code))
            raise GrafanaError(f"Grafana at {self.url} does not {doing}: {said}") from exc
        except (niquests.exceptions.RequestException, OSError, ValueError) as exc:
            raise GrafanaError(
                f"Grafana at {self.url} does not answer ({type(exc).__name__}); "
                "is the address right, and does it run?"
            ) from exc
