"""The first conversations of a new home: submitted through the control API like any other job."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from fleet_timescale.connection import connect

from fleet_stack.home import StartError
from fleet_stack.parts import enrolment, tls

if TYPE_CHECKING:
    from fleet_stack.commands.progress import Progress
    from fleet_stack.run import assembly

SCENARIO, COUNT = "mixed", 20
TWIN_COUNT = 100  # for each simulated node: work for some hours
KEY = "first-job"  # an interrupted first start does not order twice
TIMEOUT_SECONDS = 10.0
WAIT_SECONDS = 240.0
POLL_SECONDS = 0.25


def decide_count(twin_nodes: int) -> int:
    """Return how many conversations to order."""
    return TWIN_COUNT * twin_nodes or COUNT


def submit(whole: assembly.Stack, count: int) -> None:
    """Submit the first job. Raises StartError when the control API refuses."""
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        f"{whole.url('control-api')}/jobs",
        data=json.dumps({"scenario": SCENARIO, "count": count, "idempotency_key": KEY}).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {whole.base.secrets.read('admin_token')}",
        },
    )
    try:
        with tls.make_opener(whole.base.trust or tls.Trust()).open(
            request, timeout=TIMEOUT_SECONDS
        ):
            return
    except urllib.error.HTTPError as exc:
        with exc:
            said = exc.read().decode(errors="replace")
        raise StartError(
            f"the control API refuses the first job ({exc.code}): {said[:300]}"
        ) from exc
    except OSError as exc:
        raise StartError(
            f"the first job cannot be submitted: {exc}; see `./fleet logs control-api`"
        ) from exc


def wait(whole: assembly.Stack, progress: Progress) -> None:
    """Wait for the first conversation and report it; a slow machine does not fail the start."""
    deadline = time.monotonic() + WAIT_SECONDS
    with (
        enrolment.readable_errors(),
        connect(whole.base.secrets.read("owner.dsn"), "fleet up") as connection,
    ):
        while time.monotonic() < deadline:
            if connection.execute("SELECT FROM fleet.conversations LIMIT 1").fetchone() is not None:
                progress("first job     the first conversation is stored")
                return
            time.sleep(POLL_SECONDS)
    progress(f"first job     none stored in {WAIT_SECONDS:.0f} s; `./fleet logs worker` shows why")
