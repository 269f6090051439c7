"""Keep a task ours while it is being written, and notice when it is not."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Self

import psycopg

if TYPE_CHECKING:
    from types import TracebackType

    from fleet_orchestrator.store import Store, Task

logger = logging.getLogger(__name__)


class Lease:
    """Extends the lease of one task in a thread of its own until the `with` block ends."""

    def __init__(self, store: Store, task: Task, seconds: float) -> None:
        self._store, self._task, self._seconds = store, task, seconds
        self._done = threading.Event()
        self._valid_until = time.monotonic() + seconds
        self._thread = threading.Thread(target=self._keep, daemon=True)

    @property
    def is_held(self) -> bool:
        """False once the database said so, or could not be asked until the lease had ended."""
        return time.monotonic() < self._valid_until

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self._store.close()

    def extend(self) -> None:
        """Ask for more time once; what cannot be asked changes nothing."""
        asked_at = time.monotonic()
        try:
            held = self._store.extend([self._task.task_id])
        except psycopg.OperationalError as exc:
            logger.warning("Could not extend a lease.", extra={"error": str(exc)})
        else:
            self._valid_until = asked_at + self._seconds if held else 0.0

    def _keep(self) -> None:
        while not self._done.wait(self._seconds / 3) and self.is_held:
            self.extend()
