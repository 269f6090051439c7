"""A TCP proxy that fails as networks do: slow, silent, cut, gone."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Proxy:
    """Stands before a port of this machine; a thread a direction of each connection."""

    def __init__(self, target_port):
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.delay_seconds = 0.0  # before each answer
        self.bytes_per_second = float("inf")  # of what is asked
        self._is_passing = threading.Event()
        self._is_passing.set()
        self.held = threading.Event()  # something is kept back now
        self._end = threading.Event()
        self._sockets = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target_port))
                except OSError:
                    client.close()
                    continue
                self._sockets += [client, server]
                for source, sink, is_answer in ((client, server, False), (server, client, True)):
                    threading.Thread(
                        target=self._pump, args=(source, sink, is_answer), daemon=True
                    ).start()

    def _pump(self, source, sink, is_answer):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_answer and self.delay_seconds:
                    self._end.wait(self.delay_seconds)
                if not is_answer:
                    self._end.wait(len(data) / self.bytes_per_second)
                if not self._is_passing.is_set():
                    self.held.set()
                    self._is_passing.wait()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def stall(self):
        """Take everything and pass nothing on, without a word to either end."""
        self._is_passing.clear()

    def go_on(self):
        self._is_passing.set()

    def reset(self):
        """Cut all connections."""
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self):
        self._end.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)
        self.reset()
        self.go_on()
