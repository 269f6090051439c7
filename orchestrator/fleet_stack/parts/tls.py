"""
TLS of the control API: whether its certificate can be used, and how those who call it trust it.

Everything of ours calls it at 127.0.0.1, which certificates seldom name: so each caller is told the
name to expect. A certificate that callers would refuse is found here, in one sentence, by a
handshake in memory, and not by each of them later.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, build_opener

from fleet_stack.home import HomeError, stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home import Secrets

# Copies in the home, which the user can read that our programs run as.
CERTIFICATE_COPY, KEY_COPY, AUTHORITY_COPY = "tls_certificate", "tls_key", "tls_authority"
COPIES = (CERTIFICATE_COPY, KEY_COPY, AUTHORITY_COPY)
LOOPBACK = "127.0.0.1"
MESSAGES = 10  # of a handshake; TLS 1.3 needs three

Names = tuple[tuple[str, str], ...]  # subject alternative names: (DNS or IP Address, name)


@dataclass(frozen=True)
class Trust:
    """How to trust the control API; empty: this machine's authorities, the name in its address."""

    ca_file: str = ""
    server_name: str = ""


class NamedContext(ssl.SSLContext):
    """A context that expects a name other than that in the address."""

    server_name = ""

    def wrap_socket(self, *arguments, **options):  # type: ignore[no-untyped-def] # noqa: ANN002, ANN003, ANN201 - those of the base class
        """Begin TLS with the name that is expected."""
        if self.server_name:
            options["server_hostname"] = self.server_name
        return super().wrap_socket(*arguments, **options)


def settle(environ: Mapping[str, str], secrets: Secrets) -> Trust | None:
    """
    Copy the files that the settings name into the home; None without a certificate.

    Raises HomeError for files that cannot be used.
    """
    certificate, key, authority = (environ.get(name, "") for name in stack.TLS)
    if not certificate and not key:
        for name in COPIES:
            secrets.remove(name)
        return None
    if not certificate or not key:
        raise HomeError(f"{stack.TLS[0]} and {stack.TLS[1]} belong together; set both")
    texts = {name: read_file(Path(name)) for name in (certificate, key, authority) if name}
    trusted = choose_authority(certificate, key, authority)
    name = choose_name(certificate, read_names(certificate, key, trusted))
    secrets.put(CERTIFICATE_COPY, texts[certificate])
    secrets.put(KEY_COPY, texts[key])
    if not trusted:
        secrets.remove(AUTHORITY_COPY)
        return Trust("", name)
    secrets.put(AUTHORITY_COPY, texts[trusted])
    return Trust(str(secrets.path(AUTHORITY_COPY)), name)


def read_file(path: Path) -> str:
    """Return a PEM file. Raises HomeError when it cannot be read."""
    try:
        return path.read_text()
    except (OSError, ValueError) as exc:
        raise HomeError(f"{path} cannot be read ({exc}); it must be a PEM file") from exc


def choose_authority(certificate: str, key: str, given: str) -> str:
    """
    Return the file of the authority that callers trust; empty for those of this machine.

    The given one; else this machine's; else the certificate itself, when it is self-signed.
    Raises HomeError when none of them has signed it.
    """
    said = ""
    for authority in (given,) if given else ("", certificate):
        try:
            read_names(certificate, key, authority)
        except ssl.SSLCertVerificationError as exc:
            said = said or exc.verify_message
        else:
            return authority
    whose = f"by {given}" if given else "by an authority that this machine knows"
    raise HomeError(
        f"{certificate} is not signed {whose} ({said}); name the file of who signed it in "
        f"{stack.TLS[2]}"
    )


def read_names(certificate: str, key: str, authority: str) -> Names:
    """
    Shake hands in memory and return the names in the certificate.

    Raises HomeError for files that make no pair, and ssl.SSLCertVerificationError.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as exc:
        raise HomeError(
            f"{certificate} and {key} are no certificate with its key ({exc}); "
            "both must be PEM files, the key without a passphrase"
        ) from exc
    client = make_context(authority)
    client.check_hostname = False  # which name to expect is asked here
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = client.wrap_bio(coming, going)
    callee = server.wrap_bio(going, coming, server_side=True)
    for _ in range(MESSAGES):
        for side in (caller, callee):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    names: Names = (caller.getpeercert() or {}).get("subjectAltName", ())  # type: ignore[assignment]
    return names


def choose_name(certificate: str, names: Names) -> str:
    """Return the name that callers at 127.0.0.1 expect; empty when that is one of its names."""
    hosts = [name for kind, name in names if kind == "DNS"]
    places = [name for kind, name in names if kind == "IP Address"]
    if LOOPBACK in places:
        return ""
    if not hosts and not places:
        raise HomeError(
            f"{certificate} has no subjectAltName, so no program of today trusts it; "
            "make one that names its host there"
        )
    return [*hosts, *places][0].replace("*", "fleet")


def make_context(ca_file: str, server_name: str = "") -> ssl.SSLContext:
    """Return how to call the control API. Raises HomeError for a file without certificates."""
    context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = server_name
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
        else:
            context.load_default_certs()
    except OSError as exc:
        raise HomeError(f"{ca_file} has no certificate in PEM format ({exc})") from exc
    return context


def make_opener(trust: Trust) -> OpenerDirector:
    """Return what opens pages of loopback, which is never behind a proxy."""
    context = make_context(trust.ca_file, trust.server_name)
    return build_opener(ProxyHandler({}), HTTPSHandler(context=context))
