"""
How gunicorn serves the application.

One process, threads, loopback by default. Read by gunicorn itself.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fleet_control_api.audit.summaries import SummaryWriter

workers = 1  # rate limits and audit summaries are kept in memory
worker_class = "fleet_control_api.gunicorn_worker.HeadFirstWorker"
threads = 32
graceful_timeout = 3  # seconds; the launcher gives 5
keepalive = 5  # seconds
header_map = "drop"  # X_Grafana_Id would otherwise stand in for X-Grafana-Id
forwarded_allow_ips = ""  # no proxy is trusted with the client's address
limit_request_line = 8190  # 500 characters of 4 bytes in a query string, and the rest
limit_request_fields = 50
control_socket_disable = True  # it would be a file in the user's home folder
# gunicorn's heartbeat file belongs in memory; in some containers only root may write there.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "fleet_timescale.log.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {
            "level": "INFO",
            "handlers": [],
            "propagate": True,
            "qualname": "gunicorn.error",
        },
        "gunicorn.access": {
            "level": "WARNING",
            "handlers": [],
            "propagate": True,
            "qualname": "gunicorn.access",
        },
    },
}
RECEIVE_SECONDS, SEND_SECONDS = 10, 60
_writers: list[SummaryWriter] = []  # the one of this worker process


def when_ready(server: Any) -> None:
    """
    Bound how long one client can hold a thread: connections inherit it from their listener.

    Python's own time-outs would not do, since gunicorn makes each connection block.
    """
    for listener in server.LISTENERS:
        for option, seconds in (
            (socket.SO_RCVTIMEO, RECEIVE_SECONDS),
            (socket.SO_SNDTIMEO, SEND_SECONDS),
        ):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))


def post_worker_init(worker: Any) -> None:
    """Write audit summaries from a thread of the worker."""
    from fleet_control_api.audit.summaries import SummaryWriter  # noqa: PLC0415 - the arbiter does without

    writer = SummaryWriter(worker.wsgi.extensions["fleet"], lambda: worker.alive)
    writer.start()
    _writers.append(writer)


def worker_exit(_server: Any, _worker: Any) -> None:
    """Write the last audit summaries; no effect in the arbiter, which calls this too."""
    while _writers:
        _writers.pop().stop()
