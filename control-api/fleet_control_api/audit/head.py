"""
The head of the audit log, each minute: number of rows and last hash, for places outside of it.

Who rewrites the whole log in the database does not rewrite the program's log and Prometheus, too:
`fleet audit verify --head` compares the two.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_control_api.service.context import Services

log = logging.getLogger(__name__)

SECONDS = 60.0
FINGERPRINT_DIGITS = 12  # hexadecimal: 48 bits, which a float holds exactly


class HeadTeller:
    """Tells the head when it is due; one instance a program."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._due_at = clock()

    def tell(self) -> None:
        """Log and export the head, at most once a minute."""
        if self._clock() < self._due_at:
            return
        self._due_at = self._clock() + SECONDS
        with self._services.database.statements() as connection:
            row = connection.execute("SELECT * FROM control.read_audit_head()").fetchall()[0]
        digits = row["hash"].hex()
        self._services.metrics.audit_rows.set(row["audit_rows"])
        self._services.metrics.audit_head.set(int(digits[:FINGERPRINT_DIGITS] or "0", 16))
        log.info("The head of the audit log.", extra={"head": f"{row['audit_rows']}:{digits}"})
