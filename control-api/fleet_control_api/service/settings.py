"""What the launcher tells the control API, read once from FLEET_* variables."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_timescale import settings as read
from fleet_timescale.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNBOOKS = Path(__file__).resolve().parents[3] / "prometheus" / "runbooks"
KEY_LENGTH_MIN = 32  # bytes; HS256 wants a key as long as its hash (RFC 7518, 3.2)


@dataclass(frozen=True)
class Settings:
    """Everything that the application factory needs; secrets are values here, files outside."""

    dsn: str
    jwt_key: str
    proxy_secret: str
    grafana_url: str  # empty: there is no Grafana, and every button is refused
    grafana_issuer: str  # as Grafana signs it, with a trailing slash
    public_url: str
    runbooks: Path = RUNBOOKS
    scrape_folder: Path | None = None  # of the scrape token; None: nodes are scraped without
    listen: str = "127.0.0.1:8080"
    alertmanager_url: str = ""  # empty: there is none, and nothing can be silenced
    tls: tuple[str, str] | None = None  # the files of certificate and key; None: plain HTTP

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """
        Read the variables. Raises SettingsError for a missing one and for a key that is too short.
        """
        jwt_key = read.secret(environ, "FLEET_JWT_KEY")
        if len(jwt_key.encode()) < KEY_LENGTH_MIN:
            raise SettingsError(
                f"the key in {environ['FLEET_JWT_KEY_FILE']} is shorter than {KEY_LENGTH_MIN} "
                "bytes; write a longer random one into it"
            )
        grafana = read.text(environ, "FLEET_GRAFANA_URL", "").rstrip("/")
        public_grafana = read.text(environ, "FLEET_PUBLIC_GRAFANA_URL", grafana).rstrip("/")
        listen, tls = read.text(environ, "FLEET_LISTEN"), read_tls(environ)
        own_url = f"{'https' if tls else 'http'}://{listen}"
        scrape = environ.get("FLEET_SCRAPE_TOKEN_FOLDER", "").strip()
        return cls(
            dsn=read.secret(environ, "FLEET_DATABASE_URL"),
            jwt_key=jwt_key,
            proxy_secret=read.secret(environ, "FLEET_PROXY_SECRET"),
            grafana_url=grafana,
            grafana_issuer=f"{public_grafana}/",
            public_url=read.text(environ, "FLEET_PUBLIC_URL", own_url).rstrip("/"),
            runbooks=Path(read.text(environ, "FLEET_RUNBOOKS_DIR", str(RUNBOOKS))),
            scrape_folder=Path(scrape) if scrape else None,
            listen=listen,
            alertmanager_url=read.part_url(environ, "FLEET_ALERTMANAGER_URL"),
            tls=tls,
        )


def read_tls(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """
    Return the files of certificate and key, or None when neither is named.

    Raises SettingsError for one without the other, and for files that make no pair.
    """
    certificate = environ.get("FLEET_CONTROL_TLS_CERTIFICATE", "").strip()
    key = environ.get("FLEET_CONTROL_TLS_KEY", "").strip()
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise SettingsError(
            "FLEET_CONTROL_TLS_CERTIFICATE and FLEET_CONTROL_TLS_KEY belong together; set both"
        )
    try:
        # Read now, so that a wrong file is one sentence and not the traceback of each worker.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as exc:
        raise SettingsError(
            f"{certificate} and {key} are no certificate with its key ({exc}); "
            "both must be PEM files, the key without a passphrase"
        ) from exc
    return certificate, key
