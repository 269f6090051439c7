"""`fleet sms-bridge`: run the bridge until told to stop."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_timescale import log, settings
from fleet_timescale.connection import connect

from fleet_sms import deliveries
from fleet_sms.bridge import Bridge
from fleet_sms.provider import parse_provider
from fleet_sms.server import Server
from fleet_sms.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Mapping


def main(argv: list[str]) -> int:
    """Run the bridge."""
    del argv
    log.configure()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(os.environ, stop)
    return 0


def run(environ: Mapping[str, str], stop: threading.Event) -> None:
    """Listen, send and write until told to stop."""
    provider = parse_provider(settings.secret(environ, "FLEET_SMS"))
    token = settings.secret(environ, "FLEET_SMS_TOKEN")
    dsn = settings.secret(environ, "FLEET_DATABASE_URL")
    bridge = Bridge(provider, Spool(Path(settings.text(environ, "FLEET_SMS_SPOOL"))))
    bridge.spool.prepare()
    server = Server(settings.address(environ, "FLEET_LISTEN"), bridge, token)
    writing = (bridge.spool, lambda: connect(dsn, "fleet sms-bridge"), stop)
    threads = [
        threading.Thread(target=server.serve_forever, name="http"),
        threading.Thread(target=bridge.run, args=[stop], name="send"),
        threading.Thread(target=deliveries.run, args=writing, name="write"),
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    bridge.new.set()
    server.shutdown()
    for thread in threads:
        thread.join()
    server.server_close()
