"""
Background threads that can be cancelled.

They are daemons: a thread that waits for a silent server must not keep a failed command alive.
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from fleet_timescale.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")
LEAVE_SECONDS = 3.0  # for threads to notice, and to end the programs that they wait for


class CancelledError(FleetError):
    """The work was cancelled. Not a StackError: nothing else is to be tried instead."""


def begin(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Future[Result]:
    """Call the function in a new thread."""
    future: Future[Result] = Future()

    def work() -> None:
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as exc:  # noqa: BLE001 - raised again where the result is wanted
            future.set_exception(exc)

    threading.Thread(target=work, daemon=True).start()
    return future


class Tasks:
    """
    The threads of one command; leaving the block cancels those that still run, through `stop`.
    """

    def __init__(self, leave_seconds: float = LEAVE_SECONDS) -> None:
        self.stop = threading.Event()
        self._leave_seconds = leave_seconds
        self._begun: list[Future[object]] = []

    def begin(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Future[Result]:
        """Start one more."""
        future = begin(function, *args, **kwargs)
        self._begun.append(future)  # type: ignore[arg-type] # only waited for
        return future

    def finish(self) -> None:
        """Wait for all. Raises the first exception without waiting for the others."""
        done, _ = wait(self._begun, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        wait(self._begun, timeout=self._leave_seconds)
