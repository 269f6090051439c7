"""
Unpack Debian's packages into the cache, without installing them.

Installing would need root, and would start servers at once on their usual ports. By hand:
`apt-get download prometheus && dpkg -x prometheus_*.deb FOLDER`.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.fetch.relocate import relocate
from fleet_stack.fetch.tasks import CancelledError
from fleet_stack.home import StackError

if TYPE_CHECKING:
    import threading

    from fleet_stack.fetch.cache import Cache

COMMAND_SECONDS = 600.0
POLL_SECONDS = 0.2

Run = Callable[[Sequence[str], Path], str]


class DebianError(StackError):
    """Debian's packages cannot be had."""


@dataclass(frozen=True)
class Bundle:
    """Packages that are unpacked together: all of `packages`, and those of `extras` that exist."""

    title: str
    packages: tuple[str, ...]
    extras: tuple[str, ...]
    needed_bytes: int  # package lists, packages, and what is in them
    prefix: str = ""

    @property
    def folder_name(self) -> str:
        """The folder in the cache; releases and architectures do not share one."""
        try:
            release = platform.freedesktop_os_release()
        except OSError:
            release = {}
        label = release.get("VERSION_CODENAME") or release.get("VERSION_ID") or "unknown"
        return f"{self.prefix}{release.get('ID', 'debian')}-{label}-{platform.machine()}"


def is_possible() -> bool:
    """True on a system with Debian's package tools."""
    return all(shutil.which(tool) for tool in ("apt-get", "apt-cache", "dpkg"))


def run(
    command: Sequence[str],
    folder: Path,
    *,
    stop: threading.Event | None = None,
    seconds: float = COMMAND_SECONDS,
) -> str:
    """
    Run a command and return its output.

    Raises DebianError with its last line or when it takes too long, CancelledError after `stop`.
    """
    title = f"`{command[0]} {command[-1]}`"
    deadline = time.monotonic() + seconds
    with subprocess.Popen(
        command, cwd=folder, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        while True:
            try:
                output, errors = running.communicate(timeout=POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if stop is not None and stop.is_set():
                    running.kill()
                    raise CancelledError(f"{title} was cancelled") from None
                if time.monotonic() > deadline:
                    running.kill()
                    raise DebianError(f"{title} took more than {seconds:.0f} s") from None
    if running.returncode:
        said = (errors or output).strip().splitlines() or ["it said nothing"]
        raise DebianError(f"{title} failed: {said[-1]}")
    return output


def fetch(cache: Cache, bundle: Bundle, run: Run = run) -> Path:
    """Return the folder with the unpacked packages, fetching them when the cache has none."""
    name = bundle.folder_name
    with cache.lock(name):
        if cache.path(name).is_dir():
            return cache.path(name)
        cache.need(bundle.needed_bytes, f"Debian's packages of {bundle.title}")
        with cache.scratch(name) as scratch:
            for part in ("lists/partial", "cache/archives/partial", "debs", "unpacked"):
                (scratch / part).mkdir(parents=True)
            _download(bundle, scratch, run)
            for package in sorted(scratch.glob("debs/*.deb")):
                run(["dpkg", "-x", str(package), "../unpacked"], scratch / "debs")
            relocate(scratch / "unpacked")
            return cache.install(scratch / "unpacked", name)


def _apt(tool: str, scratch: Path) -> list[str]:
    """Return the start of an apt command that has its lists in `scratch`, not the system's."""
    options = (
        f"Dir::State::lists={scratch}/lists",
        f"Dir::Cache={scratch}/cache",
        "Debug::NoLocking=1",
        "APT::Sandbox::User=root",  # the user _apt cannot enter this folder
        "Acquire::Languages=none",
        "Acquire::http::Timeout=5",
        "Acquire::https::Timeout=5",
        "Acquire::Retries=1",
    )
    return [tool, "-qq", *(word for option in options for word in ("-o", option))]


def parse_package_names(shown: str) -> set[str]:
    """Return the packages that `apt-cache show` described."""
    return {
        line.removeprefix("Package:").strip()
        for line in shown.splitlines()
        if line.startswith("Package:")
    }


def _download(bundle: Bundle, scratch: Path, run: Run) -> None:
    folder = scratch / "debs"
    run([*_apt("apt-get", scratch), "update"], folder)
    show = [*_apt("apt-cache", scratch), "show", "--no-all-versions"]
    known = parse_package_names(run([*show, *bundle.packages, *bundle.extras], folder))
    missing = [name for name in bundle.packages if name not in known]
    if missing:
        raise DebianError(
            f"this system's package lists have no {' and no '.join(missing)}; "
            "add a full mirror to apt's sources"
        )
    wanted = [*bundle.packages, *(name for name in bundle.extras if name in known)]
    run([*_apt("apt-get", scratch), "download", *wanted], folder)
