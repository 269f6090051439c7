"""
A gunicorn worker that gives a thread to a request only when its whole head has come.

gunicorn's own gives one to each connection: some dozens that say nothing, or a byte a second, would
hold all threads, and the emergency stop would wait behind them. What has not come is waited for in
the worker's poller, which costs no thread. With TLS the head cannot be looked at; there a silent
client holds a thread for as long as one receive may take (`gunicorn_config.RECEIVE_SECONDS`).
"""

from __future__ import annotations

import select
import selectors
import socket
import time
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

HEAD_SECONDS = 10.0  # from the first byte that is missed
HEAD_BYTES_MAX = 65536  # more than gunicorn takes: it says so itself
END = b"\r\n\r\n"


def lacks_head(sock: socket.socket) -> bool:
    """
    Return whether the head of a request is still to come; the socket becomes readable when more is.

    False also where the client has hung up, or sends no head at all: gunicorn answers it.
    """
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    try:
        begun = sock.recv(HEAD_BYTES_MAX, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    if not begun or END in begun or len(begun) >= HEAD_BYTES_MAX:
        return False
    # Else the poller would report the same bytes again and again.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(begun) + 1)
    return not _has_hung_up(sock)


def _has_hung_up(sock: socket.socket) -> bool:
    """Return whether nothing more will come; a socket of Linux tells it without being read."""
    poll = select.poll()
    poll.register(sock, getattr(select, "POLLRDHUP", select.POLLHUP))
    return bool(poll.poll(0))


class HeadFirstWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threads, for requests whose head is there."""

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection to a thread, or wait for the head of its request first."""
        has_read_ahead = conn.parser is not None and conn.parser.unreader.buf.getvalue()
        if self.cfg.is_ssl or has_read_ahead or not lacks_head(conn.sock):
            conn.head_until = None
            super().enqueue_req(conn)
            return
        # The same deadline for all looks at one head: a byte a second wins no time.
        conn.head_until = getattr(conn, "head_until", None) or time.monotonic() + HEAD_SECONDS
        conn.timeout = conn.head_until
        self.pending_conns.append(conn)
        self.poller.register(
            conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn)
        )
