"""When a TLS certificate expires."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)


def read_expiry(file: Path) -> float:
    """Return when the first of a PEM file's certificates expires, Unix time; NaN if it has none."""
    try:
        chain = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as exc:
        log.warning("a certificate cannot be read", extra={"path": file, "error": str(exc)})
        return math.nan
    # One between it and its root may end before it does.
    return min(certificate.not_valid_after_utc.timestamp() for certificate in chain)
