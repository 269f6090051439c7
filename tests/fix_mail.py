"""A mail server that demands TLS and a login, and can be told to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import email
import ipaddress
import queue
import ssl
import warnings
from dataclasses import dataclass, field
from email import policy
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fix_ports import free_port

USER, PASSWORD = "me@fleet.example", "pw of the mail server"


def make_certificate(folder, address="127.0.0.1"):
    """Write key and certificate for an address into one file, and return that file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / f"mail-{address}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@dataclass
class Handler:
    """What aiosmtpd calls; `sender_answer` refuses a message, `is_hanging` holds it up."""

    is_hanging: bool = False
    sender_answer: str = ""
    messages: queue.Queue[Any] = field(default_factory=queue.Queue)

    async def handle_MAIL(self, _server, _session, envelope, address, _options):
        if self.sender_answer:
            return self.sender_answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):
        while self.is_hanging:  # noqa: ASYNC110 - set from another thread
            await asyncio.sleep(0.05)
        self.messages.put(email.message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def next(self, timeout=30):
        """Return the next message; fails the test if none comes."""
        return self.messages.get(timeout=timeout)


@dataclass(frozen=True)
class MailServer:
    """A running server, its handler, and the certificate that a client must trust."""

    handler: Handler
    host: str
    port: int
    certificate: str
    is_tls_from_start: bool


@contextlib.contextmanager
def mail_server(folder, *, is_tls_from_start=False, address="127.0.0.1", port=0):
    """Run a server that takes mails only over TLS and from USER with PASSWORD."""
    certificate = make_certificate(folder, address)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    handler = Handler()

    def authenticate(_server, _session, _envelope, _mechanism, login):
        is_right = (login.login.decode(), login.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=is_right, handled=False)

    how = {"ssl_context": context} if is_tls_from_start else {}
    if not is_tls_from_start:
        how = {"tls_context": context, "require_starttls": True}
    controller = Controller(
        handler, hostname=address, port=port or free_port(), authenticator=authenticate,
        auth_required=True, auth_require_tls=not is_tls_from_start,
        auth_exclude_mechanism=["LOGIN"],  # its prompts are others than Alertmanager expects
        **how,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # aiosmtpd cannot know that this socket is TLS already
        controller.start()
        try:
            yield MailServer(handler, address, controller.port, str(certificate), is_tls_from_start)
        finally:
            # Whoever was connected has ended; let the server see that before it ends itself.
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), controller.loop).result()
            controller.stop()
