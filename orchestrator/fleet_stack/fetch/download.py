"""
Fetch one file over HTTP: resumable, with a time limit, accepted only with the expected sha256.

A partial file stays beside the target as NAME.part; the next attempt continues there.
"""

from __future__ import annotations

import errno
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from fleet_stack.home import StackError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleet_stack.fetch.download_progress import DownloadProgress

CHUNK_BYTES = 1 << 18
TIMEOUT = (5.0, 20.0)  # seconds to connect, and without a byte
ATTEMPTS = 4
TOTAL_SECONDS = 1800.0  # slower than 0.3 MB/s is not worth waiting for at the first start
MEGABYTE = 1_000_000


class DownloadError(StackError):
    """A file could not be fetched."""


@dataclass(frozen=True)
class Source:
    """A file to fetch: its address and its expected checksum."""

    label: str
    url: str
    sha256: str


@dataclass(frozen=True)
class RetryPolicy:
    """Timeouts and retries."""

    timeout: tuple[float, float] = TIMEOUT
    attempts: int = ATTEMPTS
    total_seconds: float = TOTAL_SECONDS
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def hash_file(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download_file(
    source: Source,
    target: Path,
    progress: DownloadProgress,
    *,
    policy: RetryPolicy = RetryPolicy(),
) -> Path:
    """
    Fetch `source` to `target` and return the target.

    Raises DownloadError: not reachable, too slow, no disk space, or another sha256.
    """
    transfer = _Transfer(
        source,
        target.with_name(f"{target.name}.part"),
        progress,
        policy,
        policy.clock() + policy.total_seconds,
    )
    try:
        _persist(transfer)
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(
                f"no disk space for {source.label} in {target.parent}; free some"
            ) from exc
        raise DownloadError(
            f"{transfer.part} cannot be written ({exc.strerror}); make that folder writable"
        ) from exc
    finally:
        progress.end(source.label)
    return _accept(source, transfer.part, target)


def describe(error: requests.RequestException) -> str:
    """Return a short reason; the messages of requests are half a page long."""
    if error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut"
    if isinstance(error, requests.ConnectionError):
        return "not reachable, or the connection was cut"
    return type(error).__name__


def _is_final(error: requests.RequestException) -> bool:
    status = error.response.status_code if error.response is not None else 500
    return 400 <= status < 500 and status not in (408, 416, 429)


@dataclass(frozen=True)
class _Transfer:
    """What all attempts at one file share."""

    source: Source
    part: Path
    progress: DownloadProgress
    policy: RetryPolicy
    deadline: float


def _persist(transfer: _Transfer) -> None:
    policy = transfer.policy
    for attempt in range(1, policy.attempts + 1):
        try:
            _attempt(transfer)
        except requests.RequestException as exc:
            if attempt == policy.attempts or _is_final(exc):
                raise DownloadError(
                    f"{transfer.source.url} cannot be fetched: {describe(exc)}"
                ) from exc
            policy.pause(2.0**attempt / 2)
        else:
            return


def _attempt(transfer: _Transfer) -> None:
    have = transfer.part.stat().st_size if transfer.part.exists() else 0
    # identity: a server that marks an archive as gzip-encoded would have it unpacked on the way.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    url, timeout = transfer.source.url, transfer.policy.timeout
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
        if answer.status_code == 416:  # nothing is left to send, or the part is of another file
            if answer.headers.get("Content-Range") == f"bytes */{have}":
                return
            transfer.part.unlink()
        answer.raise_for_status()
        _receive(transfer, answer, have if answer.status_code == 206 else 0)


def _receive(transfer: _Transfer, answer: requests.Response, have: int) -> None:
    rest = int(answer.headers.get("Content-Length", 0))
    total = have + rest if rest else 0
    with transfer.part.open("ab" if have else "wb") as file:
        for chunk in answer.iter_content(CHUNK_BYTES):
            file.write(chunk)
            have += len(chunk)
            transfer.progress.show(transfer.source.label, have, total)
            if transfer.policy.clock() > transfer.deadline:
                raise DownloadError(
                    f"{transfer.source.url} is too slow: {have // MEGABYTE} MB after "
                    f"{transfer.policy.total_seconds:.0f} s; "
                    "run the same command again to go on from there"
                )
    if total and have != total:
        raise requests.ConnectionError(f"{have} of {total} bytes came")


def _accept(source: Source, part: Path, target: Path) -> Path:
    found = hash_file(part)
    if found != source.sha256:
        part.unlink()
        raise DownloadError(
            f"{source.url} has sha256 {found}, expected {source.sha256}; it was deleted. "
            "Run the same command again; if it stays so, do not use that file"
        )
    return part.rename(target)
