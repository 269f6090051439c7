"""
Fixtures with a running control API, for tests/control_api and tests/grafana.

A conftest.py imports what it needs:

    from fix_control import api_server, control_settings, grafana_double, grafana_proxy

`api_server` is gunicorn against the test's `database`; `grafana_proxy` is the same behind a
stand-in for Grafana's proxy: requests.post(grafana_proxy.proxy_url + "/fleet-pause",
auth=("editor", "editor")).
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests
from fix_fleet import wait_until
from fix_grafana import GrafanaDouble
from fix_http import serving
from fix_ports import free_port
from fleet_control_api.callers.identity import digest
from fleet_control_api.callers.passwords import hash_password
from fleet_control_api.client.remote import Remote, Token
from fleet_control_api.service.errors import ClientError
from fleet_control_api.service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SECRET = "the-proxy-secret"
KEY = "k" * 40


def make_token(owner, scope: str, name: str = "") -> str:
    """Put an API token of a scope into the database and return it."""
    token = secrets.token_urlsafe(24)
    with unaudited(owner):
        owner.execute(
            "SELECT control.put_token(%s, %s, %s, 'tests', NULL)",
            [name or f"{scope}-token", digest(token), scope],
        )
    return token


def make_user(owner, login: str, role: str, password: str) -> None:
    with unaudited(owner):
        owner.execute("SELECT control.put_user(%s, %s, %s)", [login, hash_password(password), role])


@contextmanager
def unaudited(owner) -> Iterator[None]:
    """Keep what a test prepares by SQL out of the audit log, which has what the test does."""
    owner.execute("SET session_replication_role = replica")
    yield
    owner.execute("RESET session_replication_role")


@dataclass(frozen=True)
class ApiServer:
    """A control API that answers; `url` ends in /api/v1, `token` is an admin's."""

    url: str
    token: str
    process: subprocess.Popen
    log: Path

    def call(self, method: str, path: str, **options) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=10, **options)


@pytest.fixture
def grafana_double():
    """The stand-in for Grafana, not yet in front of anything."""
    grafana = GrafanaDouble()
    grafana.secret = SECRET
    with serving(grafana.server):
        yield grafana


def make_settings(dsn: str, grafana) -> Settings:
    return Settings(
        dsn=dsn,
        jwt_key=KEY,
        proxy_secret=SECRET,
        grafana_url=grafana.url,
        grafana_issuer=f"{grafana.url}/",
        public_url="http://127.0.0.1:1",
    )


@pytest.fixture
def control_settings(database, grafana_double) -> Settings:
    return make_settings(database.dsn("fleet_control"), grafana_double)


def start_api(
    settings: Settings,
    folder: Path,
    tls: Mapping[str, str] | None = None,
    server_name: str = "",
) -> tuple[subprocess.Popen, str, Path]:
    """
    Start gunicorn as the launcher does; return it, its address and its log, once it answers.

    `tls` has the variables with the files of certificate, key and perhaps authority;
    `server_name` is what the certificate names in place of 127.0.0.1.
    """
    listen, tls = f"127.0.0.1:{free_port()}", tls or {}
    address = f"{'https' if tls else 'http'}://{listen}"
    files = {"FLEET_DATABASE_URL": settings.dsn, "FLEET_JWT_KEY": settings.jwt_key,
             "FLEET_PROXY_SECRET": settings.proxy_secret}  # fmt: skip
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FLEET_")}
    for name, value in files.items():
        (folder / name).write_text(value)
        environ[f"{name}_FILE"] = str(folder / name)
    environ |= {"FLEET_LISTEN": listen, "FLEET_GRAFANA_URL": settings.grafana_url,
                "FLEET_PUBLIC_URL": address, **tls}  # fmt: skip
    log = folder / "control-api.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "fleet_control_api.cli"], env=environ, stdout=out, stderr=out
        )

    ca_file = tls.get("FLEET_CONTROL_TLS_CA") or tls.get("FLEET_CONTROL_TLS_CERTIFICATE", "")
    remote = Remote(f"{address}/api/v1", Token(""), ca_file=ca_file, server_name=server_name)

    def is_there():
        assert process.poll() is None, log.read_text()
        try:
            return remote.call("GET", "/openapi.json")
        except ClientError:
            return None

    try:
        wait_until(is_there, "the API answers")
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process, f"{address}/api/v1", log


def stop_api(process: subprocess.Popen) -> None:
    process.terminate()
    process.wait(10)


@pytest.fixture
def api_server(owner, control_settings, tmp_path):
    """A control API in gunicorn against the test database, with an admin's token."""
    process, url, log = start_api(control_settings, tmp_path)
    yield ApiServer(url, make_token(owner, "admin", "admin-of-tests"), process, log)
    stop_api(process)


@pytest.fixture
def grafana_proxy(api_server, grafana_double):
    """The stand-in for Grafana in front of the running control API."""
    grafana_double.upstream = f"{api_server.url}/buttons"
    return grafana_double
