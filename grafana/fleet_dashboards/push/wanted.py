"""
What a Grafana of the user's own should have: a folder, three data sources, the dashboards.

The sources are those of provisioning/datasources/fleet.yml.j2 (a test compares them), with names
that are free where a Prometheus stands already, and none of them the default one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from fleet_dashboards import build
from fleet_dashboards.datasources import CONTROL_UID, POSTGRES, PROMETHEUS, Json

FOLDER_UID, FOLDER_TITLE = "fleet", "Fleet"


@dataclass(frozen=True)
class Addresses:
    """Where Grafana reaches what its sources read; and how it trusts the control API."""

    prometheus_url: str
    database: str  # HOST:PORT
    control_url: str  # ends in /api/v1
    database_name: str = "fleet"
    sslmode: str = "disable"
    control_server_name: str = ""


@dataclass(frozen=True)
class Secrets:
    """What sources show to those whom they ask; and whom they trust."""

    database_password: str = field(repr=False)
    proxy_secret: str = field(repr=False)
    control_authority: str = ""  # PEM; empty: those that Grafana's machine knows


def make_sources(addresses: Addresses, secrets: Secrets) -> list[Json]:
    """Return the data sources as Grafana's HTTP API takes them."""
    prometheus: Json = {
        **PROMETHEUS,
        "name": "Fleet Prometheus",
        "url": addresses.prometheus_url,
        "user": "",
        "jsonData": {"httpMethod": "POST", "timeInterval": "5s", "manageAlerts": False},
        "secureJsonData": {},
    }
    database: Json = {
        **POSTGRES,
        "name": "Fleet database",
        "url": addresses.database,
        "user": "fleet_grafana",
        "jsonData": {
            "database": addresses.database_name,
            "sslmode": addresses.sslmode,
            "postgresVersion": 1500,
            "timescaledb": False,
            "maxOpenConns": 8,
            "maxIdleConns": 4,
            "connMaxLifetime": 14400,
        },
        "secureJsonData": {"password": secrets.database_password},
    }
    control: Json = {
        "uid": CONTROL_UID,
        "type": "graphite",
        "name": "Fleet control",
        "url": f"{addresses.control_url}/buttons",
        "user": "",
        "jsonData": {"timeout": 20, "httpHeaderName1": "X-Fleet-Proxy-Secret"},
        "secureJsonData": {"httpHeaderValue1": secrets.proxy_secret},
    }
    if addresses.control_server_name:
        control["jsonData"]["serverName"] = addresses.control_server_name
    if secrets.control_authority:
        control["jsonData"]["tlsAuthWithCACert"] = True
        control["secureJsonData"]["tlsCACert"] = secrets.control_authority
    return [{**each, "access": "proxy"} for each in (prometheus, database, control)]


def load_dashboards() -> list[Json]:
    """Return the committed dashboards."""
    return [json.loads(path.read_text()) for path in sorted(build.FOLDER.glob("*.json"))]
