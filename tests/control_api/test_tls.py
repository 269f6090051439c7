"""TLS by certificate files, in gunicorn."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fix_control import start_api, stop_api
from fleet_control_api.service.settings import read_tls
from fleet_timescale.errors import SettingsError

CERTIFICATE, KEY = "FLEET_CONTROL_TLS_CERTIFICATE", "FLEET_CONTROL_TLS_KEY"


@pytest.fixture
def pair(tmp_path):
    """The files of a self-made certificate for 127.0.0.1 and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return {CERTIFICATE: str(files[0]), KEY: str(files[1])}


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
