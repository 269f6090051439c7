"""Run the twin until it is told to stop; settings come from FLEET_* variables."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from fleet_timescale import log
from fleet_timescale.errors import FleetError

from fleet_twin.fleet.program import TwinSettings, running

logger = logging.getLogger("fleet_twin")
LOOK_SECONDS = 0.5  # a signal is handled between two waits


def main() -> int:
    """Run the twin."""
    # Each node says what a real one says, and there are many: only what is wrong is of interest.
    log.configure(logging.WARNING)
    logger.setLevel(logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with running(TwinSettings.from_environ(os.environ)):
            while not stop.wait(LOOK_SECONDS):
                pass
    except FleetError as exc:
        logger.error("the twin cannot run", extra={"error": str(exc)})  # noqa: TRY400 - no bug
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
