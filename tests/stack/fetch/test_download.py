"""Files of vendors, fetched from a local HTTP server that stands for them."""

from __future__ import annotations

import hashlib
import io
import re
import socket
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from fix_http import QuietHandler, listen, serving
from fleet_stack.fetch.download import DownloadError, RetryPolicy, Source, download_file
from fleet_stack.fetch.download_progress import DownloadProgress

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
IMPATIENT = RetryPolicy(timeout=(0.5, 0.5), attempts=3, pause=lambda seconds: None)


@dataclass
class Vendor:
    """What the server does, and what it was asked."""

    url: str = ""
    cut_after: list[int] = field(default_factory=list)  # bytes of each answer; then whole ones
    ranges: list[str | None] = field(default_factory=list)
    knows_ranges: bool = True


@pytest.fixture
def vendor():
    state = Vendor()

    class Handler(QuietHandler):
        def do_GET(self):
            asked = self.headers["Range"]
            state.ranges.append(asked)
            if self.path != "/file":
                self.send_error(404)
                return
            start = (
                int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and state.knows_ranges else 0
            )
            if start >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            rest = CONTENT[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            with suppress(ConnectionError):  # a client may leave
                self.wfile.write(rest[: state.cut_after.pop(0)] if state.cut_after else rest)

    with serving(listen(Handler)) as state.url:
        yield state


@pytest.fixture
def fetch(vendor, tmp_path, progress):
    """Fetch the vendor's file to the name `it`."""

    def fetch(name="file", sha256=SHA256, policy=IMPATIENT):
        source = Source("it", f"{vendor.url}/{name}", sha256)
        return download_file(source, tmp_path / "it", progress, policy=policy)

    return fetch


def test_good_file_is_kept(fetch, tmp_path):
    """A file with the expected sha256 lies at its target, and nothing beside it."""
    fetch()

    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    assert (tmp_path / "it").read_bytes() == CONTENT


def test_wrong_sha256_is_refused_and_deleted(fetch, tmp_path):
    """Another file than the pinned one is deleted; the error names both sums."""
    with pytest.raises(DownloadError) as caught:
        fetch(sha256="0" * 64)

    assert list(tmp_path.iterdir()) == []
    assert SHA256 in str(caught.value)
    assert "0" * 64 in str(caught.value)


def test_cut_connection_is_resumed(fetch, vendor, tmp_path):
    """After a cut the next attempt asks for the rest only."""
    vendor.cut_after = [300_000]

    fetch()

    assert vendor.ranges[0] is None
    assert re.fullmatch(r"bytes=[1-9]\d*-", vendor.ranges[1])
    assert (tmp_path / "it").read_bytes() == CONTENT


def test_part_of_a_killed_run_is_used(fetch, vendor, tmp_path):
    """What an earlier run left is not fetched again."""
    (tmp_path / "it.part").write_bytes(CONTENT[:500_000])

    fetch()

    assert vendor.ranges == ["bytes=500000-"]
    assert (tmp_path / "it").read_bytes() == CONTENT


def test_complete_part_needs_no_more_bytes(fetch, tmp_path):
    """A run killed just before the check finds all bytes there."""
    (tmp_path / "it.part").write_bytes(CONTENT)

    fetch()

    assert (tmp_path / "it").read_bytes() == CONTENT


def test_server_without_ranges_starts_again(fetch, vendor, tmp_path):
    """A server that sends the whole file in spite of the range is believed."""
    vendor.knows_ranges = False
    (tmp_path / "it.part").write_bytes(b"old")

    fetch()

    assert (tmp_path / "it").read_bytes() == CONTENT


def test_connection_that_is_always_cut_gives_up(fetch, vendor, tmp_path):
    """After the last attempt the error says so; the part stays for the next run."""
    vendor.cut_after = [1000, 1000, 1000]

    with pytest.raises(DownloadError, match="cut"):
        fetch()

    assert (tmp_path / "it.part").stat().st_size == 3000


def test_missing_file_is_not_asked_for_again(fetch, vendor):
    """HTTP 404 is final."""
    with pytest.raises(DownloadError, match="HTTP 404"):
        fetch("other")

    assert len(vendor.ranges) == 1


def test_silent_server_is_given_up_in_time(tmp_path, progress):
    """A server that takes the connection and says nothing ends in the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = Source("it", f"http://127.0.0.1:{silent.getsockname()[1]}/file", SHA256)

        with pytest.raises(DownloadError, match="no answer in time"):
            download_file(source, tmp_path / "it", progress, policy=IMPATIENT)


def test_slow_download_ends_at_the_total_limit(fetch):
    """The limit for the whole download holds even while bytes come."""
    clock = iter(range(1000))
    slow = RetryPolicy(
        total_seconds=2.0, pause=lambda seconds: None, clock=lambda: float(next(clock))
    )

    with pytest.raises(DownloadError, match="too slow"):
        fetch(policy=slow)


def test_progress_prints_a_line_now_and_then():
    """In a log, progress is a line every ten seconds."""
    lines, now = [], [0.0]
    progress = DownloadProgress(report=lines.append, stream=io.StringIO(), clock=lambda: now[0])
    for second in range(25):
        now[0] = float(second)
        progress.show("file", second * 1_000_000, 25_000_000)

    assert lines == ["file 10/25 MB", "file 20/25 MB"]


def test_progress_draws_bars_side_by_side_on_a_terminal():
    """On a terminal all downloads share one line."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal, now = Terminal(), [0.0]
    progress = DownloadProgress(report=lambda line: None, stream=terminal, clock=lambda: now[0])
    progress.show("a", 5_000_000, 10_000_000)
    now[0] = 1.0
    progress.show("b", 1_000_000, 0)

    assert terminal.getvalue().endswith("[##########..........] a 5/10 MB  b 1 MB\r")
