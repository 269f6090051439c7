"""The control API's certificate: what cannot be used is found before anything starts."""

from __future__ import annotations

import urllib.error

import pytest
from fix_http import QuietHandler, listen
from fix_tls import TLS, make_files, serving_tls
from fleet_stack.home import HomeError, Secrets
from fleet_stack.home.stack import digest_inputs
from fleet_stack.parts import tls


@pytest.fixture
def secrets(tmp_path):
    return Secrets(tmp_path / "secrets")


def test_without_a_certificate_there_is_no_tls(secrets):
    """Copies of before are removed."""
    secrets.put(tls.KEY_COPY, "a key of before")

    assert tls.settle({}, secrets) is None
    assert not secrets.has(tls.KEY_COPY)


def test_callers_are_told_whom_to_trust_and_whom_to_expect(tmp_path, secrets):
    """Files are copied for the user that our programs run as."""
    files = make_files(tmp_path, "fleet.example.com", "10.example.com")
    trust = tls.settle(files.environ(), secrets)

    assert trust == tls.Trust(str(secrets.path(tls.AUTHORITY_COPY)), "fleet.example.com")
    assert secrets.read(tls.KEY_COPY) == files.key.read_text().strip()
    assert secrets.path(tls.KEY_COPY).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("names", "addresses", "expected"),
    [
        (["fleet.lan"], ("127.0.0.1",), ""),
        (["*.fleet.lan"], (), "fleet.fleet.lan"),
        ([], ("10.0.0.7",), "10.0.0.7"),
    ],
)
def test_name_to_expect_comes_from_the_certificate(tmp_path, secrets, names, addresses, expected):
    """None where the certificate names 127.0.0.1."""
    files = make_files(tmp_path, *names, addresses=addresses)

    assert tls.settle(files.environ(), secrets).server_name == expected


def test_self_signed_certificate_vouches_for_itself(tmp_path, secrets):
    """Nobody else could."""
    files = make_files(tmp_path, "fleet.lan", is_self_signed=True)
    trust = tls.settle({**files.environ(), TLS[2]: ""}, secrets)

    assert secrets.read(tls.AUTHORITY_COPY) == files.certificate.read_text().strip()
    assert trust.ca_file == str(secrets.path(tls.AUTHORITY_COPY))


@pytest.mark.parametrize(
    ("options", "changes", "said"),
    [
        ({}, {TLS[1]: ""}, "belong together"),
        ({}, {TLS[0]: "/none/cert.pem"}, "/none/cert.pem cannot be read"),
        ({}, {TLS[2]: "key"}, "has no certificate in PEM format"),
        ({}, {TLS[1]: "certificate"}, "are no certificate with its key"),
        ({}, {TLS[2]: ""}, "not signed by an authority that this machine knows"),
        ({}, {TLS[2]: "other"}, "is not signed by .*other.*authority.pem"),
        ({"days": -1}, {}, "certificate has expired"),
        ({"names": []}, {}, "has no subjectAltName"),
    ],
)
def test_certificate_that_callers_would_refuse_is_refused(
    tmp_path, secrets, options, changes, said
):
    """In one sentence that names file and remedy; nothing is copied."""
    options = {"names": ["fleet.lan"], **options}
    files = make_files(tmp_path, *options.pop("names"), **options)
    other = make_files(tmp_path / "other", "fleet.lan")
    places = {"key": files.key, "certificate": files.certificate, "other": other.authority}
    changed = {name: str(places.get(value, value)) for name, value in changes.items()}

    with pytest.raises(HomeError, match=said):
        tls.settle(files.environ() | changed, secrets)
    assert not secrets.has(tls.KEY_COPY)


def test_renewed_certificate_makes_a_start_do_something(tmp_path):
    """The settings are the same, what they name is not."""
    files = make_files(tmp_path, "fleet.lan")
    before = digest_inputs(files.environ(), "checkout")
    assert digest_inputs(files.environ(), "checkout") == before
    files.certificate.unlink()

    assert digest_inputs(files.environ(), "checkout") != before


class Page(QuietHandler):
    def do_GET(self):
        self.reply(200, b"here")


def test_page_is_read_from_who_has_the_expected_name(tmp_path, secrets):
    """And from nobody else."""
    trust = tls.settle(make_files(tmp_path, "fleet.lan").environ(), secrets)
    pair = (secrets.path(tls.CERTIFICATE_COPY), secrets.path(tls.KEY_COPY))
    with serving_tls(listen(Page), *pair) as url:
        with tls.make_opener(trust).open(url, timeout=10) as answer:
            assert answer.read() == b"here"
        for other in (tls.Trust(trust.ca_file, "other.lan"), tls.Trust("", "fleet.lan")):
            with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
                tls.make_opener(other).open(url, timeout=10)
