"""
Ask a mail server whether it would take our mails, and send none.

Connects as Alertmanager does: TLS, login, sender, recipients; then gives up the message.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_stack.paging.smtp import Smtp


@dataclass(frozen=True)
class Means:
    """What a session needs beside the address; `authority` is the file of a certificate."""

    password: str = ""
    authority: str = ""
    timeout_seconds: float = 8.0


def read_objection(server: Smtp, sender: str, recipients: Sequence[str], means: Means) -> str:
    """Return what the server has against our mails, in its own words; empty when it takes them."""
    try:
        context = ssl.create_default_context(cafile=means.authority or None)
        with _open(server, context, means.timeout_seconds) as session:
            if server.needs_starttls:
                session.starttls(context=context)
            if server.user:
                session.login(server.user, means.password)
            return _offer(session, sender, recipients)
    except OSError as exc:  # smtplib's errors are such, too
        return explain(exc, server)


def explain(error: OSError, server: Smtp) -> str:
    """Return what went wrong between us and the server, in few words."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"has a certificate that is not trusted ({error.verify_message}); "
                "FLEET_SMTP_CA_FILE names that of an authority of your own"
            )
        case smtplib.SMTPAuthenticationError():
            return f"refuses the login of {server.user}: {_say(error.smtp_code, error.smtp_error)}"
        case smtplib.SMTPResponseException():
            return f"answers {_say(error.smtp_code, error.smtp_error)}"
        case TimeoutError() | smtplib.SMTPServerDisconnected(__context__=TimeoutError()):
            return "says nothing; a firewall may swallow what we send, or the port is another's"
        case smtplib.SMTPException():
            return f"cannot be used: {error}"
    return f"cannot be reached ({error.strerror or error})"


def _open(server: Smtp, context: ssl.SSLContext, timeout_seconds: float) -> smtplib.SMTP:
    if server.is_tls_from_start:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=timeout_seconds, context=context)
    return smtplib.SMTP(server.host, server.port, timeout=timeout_seconds)


def _offer(session: smtplib.SMTP, sender: str, recipients: Sequence[str]) -> str:
    """Name sender and recipients, as before a message, and take it back."""
    session.ehlo_or_helo_if_needed()
    code, said = session.mail(sender)
    if code != 250:
        return f"refuses the sender {sender}: {_say(code, said)}"
    for recipient in recipients:
        code, said = session.rcpt(recipient)
        if code not in {250, 251}:
            return f"refuses the recipient {recipient}: {_say(code, said)}"
    session.rset()
    return ""


def _say(code: int, said: bytes | str) -> str:
    """Return an answer of a mail server in one line."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.split())}"
