"""A certificate authority of the tests' own, and certificates that it signs."""

from __future__ import annotations

import ipaddress
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fix_http import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import HTTPServer
    from pathlib import Path

TLS = ("FLEET_CONTROL_TLS_CERTIFICATE", "FLEET_CONTROL_TLS_KEY", "FLEET_CONTROL_TLS_CA")


@dataclass(frozen=True)
class Files:
    """PEM files: a certificate, its key, and the certificate of who signed it."""

    certificate: Path
    key: Path
    authority: Path

    def environ(self) -> dict[str, str]:
        """The settings of the launcher."""
        return dict(zip(TLS, map(str, (self.certificate, self.key, self.authority)), strict=True))


def make_files(
    folder: Path,
    *names: str,
    addresses: tuple[str, ...] = (),
    days: float = 1,
    is_self_signed: bool = False,
) -> Files:
    """Make a certificate for names and addresses that ends in so many days."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder / "certificate.pem", folder / "key.pem", folder / "authority.pem")
    key, signing = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    signing = key if is_self_signed else signing
    names_ = [x509.DNSName(name) for name in names]
    names_ += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    own = _name("fleet tests")
    issuer = own if is_self_signed else _name("authority of fleet tests")
    builder = _begin(own, issuer, key.public_key(), days)
    if names_:
        builder = builder.add_extension(x509.SubjectAlternativeName(names_), False)
    certificate = builder.sign(signing, hashes.SHA256())
    authority = certificate
    if not is_self_signed:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        authority = (
            _begin(issuer, issuer, signing.public_key(), 1)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(usage, True)
            .sign(signing, hashes.SHA256())
        )
    pem = serialization.Encoding.PEM
    files.certificate.write_bytes(certificate.public_bytes(pem))
    files.authority.write_bytes(authority.public_bytes(pem))
    files.key.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _begin(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, days: float
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
    )


@contextmanager
def serving_tls(server: HTTPServer, certificate: Path, key: Path) -> Iterator[str]:
    """Let a server answer by TLS; yield its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as url:
        yield url.replace("http:", "https:", 1)
