"""Probe which hosts can be reached: all at once, within one time limit."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PROBE_SECONDS = 3.0  # a machine without a way out must not wait longer than that at `up`


def answers(url: str) -> bool:
    """True when the server answers without an error status."""
    try:
        reply = requests.head(url, timeout=PROBE_SECONDS, allow_redirects=False)
    except requests.RequestException:
        return False
    return reply.status_code < 400


def probe(
    urls: Iterable[str],
    *,
    is_reachable: Callable[[str], bool] = answers,
    seconds: float = PROBE_SECONDS,
) -> frozenset[str]:
    """Return the URLs that can be reached within `seconds`."""
    wanted = frozenset(urls)
    found: dict[str, bool] = {}

    def ask(url: str) -> None:
        found[url] = is_reachable(url)

    # Daemons: a name server that never answers must not keep the process alive.
    threads = [threading.Thread(target=ask, args=[url], daemon=True) for url in wanted]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return frozenset(url for url, is_up in dict(found).items() if is_up)
