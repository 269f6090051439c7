"""Work beside the main thread ends when something else failed."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from fleet_stack.fetch import debian
from fleet_stack.fetch.debian import DebianError
from fleet_stack.fetch.download_progress import DownloadProgress
from fleet_stack.fetch.tasks import CancelledError, Tasks
from fleet_stack.home.errors import HomeError
from fleet_stack.parts import weights

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def fail():
    raise HomeError("no room")


def test_results_come_back():
    """Two at once, both finished."""
    with Tasks() as tasks:
        one, two = tasks.begin(pow, 2, 3), tasks.begin(len, "four")
        tasks.finish()

    assert (one.result(), two.result()) == (8, 4)


def test_failure_does_not_wait_for_the_others():
    """A wrong setting is told while a download still runs, and the download hears of it."""
    heard = threading.Event()

    def download(stop):
        stop.wait(30)
        heard.set()

    def start():
        with Tasks() as tasks:
            tasks.begin(download, tasks.stop)
            tasks.begin(fail)
            tasks.finish()

    with pytest.raises(HomeError, match="no room"):
        start()
    assert heard.is_set()


def test_interruption_of_the_main_thread_calls_off_the_rest():
    """Ctrl-C ends `up`, not only its words."""
    tasks = Tasks(leave_seconds=0)

    def start():
        with tasks:
            tasks.begin(threading.Event().wait)  # never set: such a thread is left behind
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start()
    assert tasks.stop.is_set()


def test_threads_that_hang_keep_no_process_alive():
    """A server that says nothing must not hold the shell."""
    script = (
        "import threading; from fleet_stack.fetch.tasks import Tasks\n"
        "with Tasks(leave_seconds=0) as tasks: tasks.begin(threading.Event().wait)"
    )

    assert subprocess.run([sys.executable, "-c", script], timeout=20, check=False).returncode == 0


def test_meter_tells_a_download_that_it_is_called_off():
    """Each chunk asks; no fallback catches the answer."""
    stop = threading.Event()
    progress = DownloadProgress(lambda _line: None, stop)
    progress.show("model", 1, 2)
    stop.set()

    with pytest.raises(CancelledError, match="model was cancelled"):
        progress.show("model", 2, 2)


def test_package_tool_is_ended_when_it_is_called_off(tmp_path):
    """apt-get may wait for minutes."""
    stop = threading.Event()
    stop.set()

    with pytest.raises(CancelledError):
        debian.run(SLEEPER, tmp_path, stop=stop)


def test_package_tool_that_takes_too_long_is_an_error_of_ours(tmp_path):
    """One sentence, and Prometheus is absent; no traceback."""
    with pytest.raises(DebianError, match="took more than 0 s"):
        debian.run(SLEEPER, tmp_path, seconds=0)


def test_installer_of_the_model_is_ended_when_it_is_called_off(tmp_path):
    """Its folder goes away under it otherwise."""
    stop = threading.Event()
    stop.set()

    with pytest.raises(CancelledError):
        weights.run_watched(SLEEPER, tmp_path, DownloadProgress(lambda _line: None, stop))
