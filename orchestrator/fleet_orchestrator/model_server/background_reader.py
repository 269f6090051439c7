"""Read what blocks in a thread of its own, so that its reader can look up while nothing comes."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

Item = TypeVar("Item")


def read_in_background(
    open_source: Callable[[], Generator[Item, None, None]],
    seconds: float,
    interrupt: Callable[[], None],
) -> Generator[Item | None, None, None]:
    """
    Yield what the source yields, and None whenever nothing came for so many seconds.

    An error of the source is raised here. When the reader stops early, `interrupt` may end the wait
    for the next item; without that, the source is closed when it comes.
    """
    items: queue.SimpleQueue[tuple[Item | None, BaseException | None, bool]] = queue.SimpleQueue()
    is_unwanted = threading.Event()

    def read() -> None:
        error: BaseException | None = None
        try:
            source = open_source()
            for item in source:
                items.put((item, None, False))
                if is_unwanted.is_set():
                    source.close()
        except BaseException as exc:  # noqa: BLE001 - raised again where the items are read
            error = exc
        items.put((None, error, True))

    threading.Thread(target=read, name="background reader", daemon=True).start()
    try:
        while True:
            try:
                item, error, is_end = items.get(timeout=seconds)
            except queue.Empty:
                item, error, is_end = None, None, False
            if error is not None:
                raise error
            if is_end:
                return
            yield item
    finally:
        is_unwanted.set()
        interrupt()
