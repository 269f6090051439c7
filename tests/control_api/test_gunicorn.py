"""The real program: gunicorn as `fleet control-api` starts it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import requests
from fix_control import start_api, stop_api
from fleet_control_api.service.settings import Settings
from fleet_timescale.errors import SettingsError


def test_program_serves_and_logs_json(api_server, write_conversation):
    """It answers, streams an export in chunks, and each log line is JSON."""
    write_conversation()
    with api_server.call("GET", "/exports/lex", stream=True) as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert response.content.startswith(b"PK")
    assert api_server.call("GET", "/healthz").json() == {"state": "up", "database": "up"}

    lines = [json.loads(line) for line in api_server.log.read_text().splitlines()]
    assert {"GET /api/v1/exports/lex", "GET /api/v1/healthz"} <= {
        f"{line.get('method')} {line.get('path')}" for line in lines
    }
    assert api_server.token not in api_server.log.read_text()


def test_program_ends_within_five_seconds(api_server):
    """SIGTERM ends it cleanly, an open connection notwithstanding."""
    host, port = api_server.url.removeprefix("http://").split("/")[0].split(":")
    with socket.create_connection((host, int(port))):
        api_server.process.send_signal(signal.SIGTERM)

        assert api_server.process.wait(5) == 0


def test_summaries_are_written_at_the_end(api_server, owner):
    """What was only counted when the program is told to end is in the audit log afterwards."""
    for _ in range(5):
        requests.post(f"{api_server.url}/fleet/pause", timeout=10)
    api_server.process.send_signal(signal.SIGTERM)
    api_server.process.wait(5)

    rows = owner.execute("SELECT reason FROM control.audit ORDER BY audit_id").fetchall()
    summaries = [row["reason"] for row in rows if " more in the minute " in row["reason"]]
    # Two summaries when a minute began meanwhile.
    assert len(rows) - len(summaries) + sum(int(each.split()[0]) for each in summaries) == 5
    assert summaries


def test_longest_reason_fits_into_a_query(grafana_proxy):
    """What the document allows arrives through a button, too: 500 characters of four bytes each."""
    answer = requests.post(
        f"{grafana_proxy.proxy_url}/fleet-pause",
        params={"reason": "\U0001f680" * 500},
        auth=("editor", "editor"),
        timeout=60,
    )

    assert (answer.status_code, answer.json().get("reason")) == (200, "\U0001f680" * 500)


def drain(pieces):
    for _ in pieces:
        pass


def test_export_of_a_failing_database_is_cut(api_server, write_conversation, owner):
    """A stream that fails midway has no proper end: the client sees that it is not whole."""
    for _ in range(24):
        write_conversation()
    # 24 files of 2 MB that do not compress well: more than the sockets hold.
    owner.execute(
        "UPDATE fleet.turns SET text_scrubbed = "
        "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 32768))"
    )
    with api_server.call("GET", "/exports/lex", stream=True) as response:
        pieces = response.iter_content(1024)
        next(pieces)
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'fleet_control'"
        )
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            drain(pieces)


def test_settings_are_read_from_files(tmp_path):
    """Secrets come from files; Grafana's issuer has its slash."""
    for name in ("DATABASE_URL", "JWT_KEY", "PROXY_SECRET"):
        (tmp_path / name).write_text(f"{name}-{'x' * 40}\n")
    environ = {
        f"FLEET_{name}_FILE": str(tmp_path / name)
        for name in ("DATABASE_URL", "JWT_KEY", "PROXY_SECRET")
    }
    settings = Settings.from_env(
        environ | {"FLEET_LISTEN": "127.0.0.1:5", "FLEET_GRAFANA_URL": "http://g:3/"}
    )

    assert settings.dsn.startswith("DATABASE_URL-")
    assert (settings.grafana_url, settings.grafana_issuer) == ("http://g:3", "http://g:3/")
    assert settings.public_url == "http://127.0.0.1:5"


def test_short_key_is_refused(tmp_path):
    """A key that could be guessed stops the start, naming its file and not its value."""
    (tmp_path / "key").write_text("short")

    with pytest.raises(SettingsError, match="shorter than 32 bytes") as raised:
        Settings.from_env({"FLEET_JWT_KEY_FILE": str(tmp_path / "key")})
    assert "short'" not in str(raised.value)


def test_missing_settings_end_the_program():
    """Without its variables the program says which one is missing and ends with 1."""
    done = subprocess.run(
        [sys.executable, "-m", "fleet_control_api.cli"],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "FLEET_JWT_KEY_FILE is not set; `./fleet up` sets it, or set it yourself\n"
    )


def test_api_starts_before_its_database(control_settings, tmp_path):
    """With no database at all it starts, and says 503."""
    settings = replace(control_settings, dsn="postgresql://fleet_control@127.0.0.1:1/none")
    process, url, _ = start_api(settings, tmp_path)
    response = requests.get(f"{url}/healthz", timeout=10)
    stop_api(process)

    assert (response.status_code, response.headers["Content-Type"]) == (
        503,
        "application/problem+json",
    )
