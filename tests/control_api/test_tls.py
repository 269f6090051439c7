"""TLS by certificate files, in gunicorn."""

from __future__ import annotations

import math
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from cryptography import x509
from fix_control import make_token, make_user, start_api, stop_api
from fix_tls import make_files
from fleet_control_api.app import make_services
from fleet_control_api.client import Place, main
from fleet_control_api.service.settings import read_tls
from fleet_timescale.errors import SettingsError

CERTIFICATE, KEY = "FLEET_CONTROL_TLS_CERTIFICATE", "FLEET_CONTROL_TLS_KEY"


@pytest.fixture
def pair(tmp_path):
    """The files of a self-made certificate for 127.0.0.1 and of its key."""
    files = make_files(tmp_path, addresses=("127.0.0.1",), is_self_signed=True)
    return {CERTIFICATE: str(files.certificate), KEY: str(files.key)}


@pytest.fixture
def served(pair, control_settings, tmp_path):
    """The port of a control API that speaks TLS."""
    process, url, _ = start_api(control_settings, tmp_path, pair)
    yield urlsplit(url).port
    stop_api(process)


def test_certificate_is_shown_and_nothing_is_plain(served, pair):
    """Who trusts the certificate is answered, others refuse it, plain HTTP gets no answer."""
    url = f"https://127.0.0.1:{served}/"
    page = requests.get(url, verify=pair[CERTIFICATE], timeout=60)

    assert page.status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, timeout=60)
    with socket.create_connection(("127.0.0.1", served), 60) as plain:
        plain.sendall(b"GET /api/v1/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in plain.recv(1024)[:20]


def test_old_versions_are_refused(served, pair):
    """TLS 1.1 is not spoken."""
    context = ssl.create_default_context(cafile=pair[CERTIFICATE])
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", served), 60) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_pair_is_read(pair):
    """Both files are named, or none."""
    assert read_tls(pair) == (pair[CERTIFICATE], pair[KEY])
    assert read_tls({}) is None


@pytest.mark.parametrize("missing", [CERTIFICATE, KEY])
def test_half_a_pair_is_refused(pair, missing):
    """One without the other would be plain HTTP against somebody's will."""
    with pytest.raises(SettingsError, match="belong together"):
        read_tls(pair | {missing: ""})


@pytest.mark.parametrize("content", ["", "nonsense", "certificate"])
def test_file_that_is_no_key_is_refused(pair, tmp_path, content):
    """The start ends with one sentence that names the files."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_text(content)

    with pytest.raises(SettingsError, match="are no certificate with its key"):
        read_tls(pair | {KEY: str(wrong)})


def test_login_trusts_what_it_is_told_to(served, pair, owner, tmp_path, capsys):
    """An authority of one's own, remembered with the login; without it nothing is sent."""
    make_user(owner, "ada", "viewer", "correct horse battery")
    (tmp_path / "password").write_text("correct horse battery")
    place = Place({"XDG_CONFIG_HOME": str(tmp_path)})
    argv = ["login", f"https://127.0.0.1:{served}", "--user", "ada"]
    argv += ["--password-file", str(tmp_path / "password")]

    assert main(argv, place) == 1
    assert "is not trusted" in capsys.readouterr().err
    assert main([*argv, "--ca-file", pair[KEY]], place) == 1
    assert "has no certificate in PEM format" in capsys.readouterr().err
    assert main([*argv, "--ca-file", pair[CERTIFICATE]], place) == 0
    assert main(["jobs", "list"], place) == 0


@pytest.mark.parametrize(("name", "code"), [("fleet.example.com", 0), ("other.example.com", 1)])
def test_home_expects_the_name_of_the_certificate(control_settings, owner, tmp_path, name, code):
    """At 127.0.0.1, which certificates seldom name; another name is not taken."""
    files = make_files(tmp_path, "fleet.example.com")
    process, url, _ = start_api(control_settings, tmp_path, files.environ(), "fleet.example.com")
    try:
        place = Place({}, url, make_token(owner, "admin"), str(files.authority), name)
        assert main(["jobs", "list"], place) == code
    finally:
        stop_api(process)


def test_expiry_of_the_certificate_is_published(control_settings, pair):
    """The metrics page says until when it is good, also after the file was replaced."""
    services = make_services(replace(control_settings, tls=(pair[CERTIFICATE], pair[KEY])))
    services.database.close()
    chain = x509.load_pem_x509_certificates(Path(pair[CERTIFICATE]).read_bytes())
    line = 'fleet_certificate_expiry_timestamp_seconds{certificate="control-api"}'

    def read():
        page = services.metrics.render().decode()
        return next(float(at.split()[-1]) for at in page.splitlines() if at.startswith(line))

    assert read() == min(shown.not_valid_after_utc.timestamp() for shown in chain)
    Path(pair[CERTIFICATE]).write_text("nonsense")
    assert math.isnan(read())
