"""Take the pinned releases of third-party programs (programs.json) from vendors into the cache."""

from __future__ import annotations

import json
import os
import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.fetch.download import Source, download_file
from fleet_stack.home import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fleet_stack.fetch.cache import Cache
    from fleet_stack.fetch.download_progress import DownloadProgress

PINS = Path(__file__).with_name("programs.json")
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
NEEDED_BYTES = 1_200_000_000  # Grafana: the archive and what is in it


@dataclass(frozen=True)
class Pin:
    """One program: the release that is fetched, and the releases that are accepted."""

    version: str
    url: str  # with {arch}
    sha256: Mapping[str, str]  # by architecture
    floor: str
    refused: tuple[str, ...]


class VendorError(StackError):
    """A vendor's release cannot be unpacked."""


def load_pins(path: Path = PINS) -> dict[str, Pin]:
    """Return the pins by program."""
    entries = json.loads(path.read_text())
    return {
        name: Pin(**{**entry, "refused": tuple(entry["refused"])})
        for name, entry in entries.items()
    }


def read_architecture() -> str | None:
    """Return the architecture as vendors name it, or None where we have no pins for it."""
    return ARCHITECTURES.get(platform.machine().lower()) if platform.system() == "Linux" else None


def folder_name(name: str, pin: Pin) -> str:
    """Return what a release is called in the cache."""
    return f"{name}-{pin.version}"


def fetch(cache: Cache, name: str, pin: Pin, architecture: str, progress: DownloadProgress) -> Path:
    """
    Return the unpacked release, fetching it when the cache has none.

    Raises DownloadError, CacheError, and VendorError when the archive cannot be read.
    """
    folder = folder_name(name, pin)
    with cache.lock(folder):
        if cache.path(folder).is_dir():
            return cache.path(folder)
        cache.need(NEEDED_BYTES, f"{name} {pin.version}")
        source = Source(
            f"{name} {pin.version}", pin.url.format(arch=architecture), pin.sha256[architecture]
        )
        archive = download_file(source, cache.path(f"{folder}.tar.gz"), progress)
        with cache.scratch(folder) as scratch:
            made = unpack(archive, scratch)
            installed = cache.install(made, folder)
        archive.unlink()
        return installed


def unpack(archive: Path, scratch: Path) -> Path:
    """Unpack an archive that holds one folder, and return that folder."""
    # Older versions of Python have no filters, newer ones want one named.
    options = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, members=_members(tar), **options)  # type: ignore[arg-type]  # noqa: S202 - checked
    except (tarfile.TarError, EOFError, OSError) as exc:
        raise VendorError(
            f"{archive} cannot be unpacked ({exc}); remove it and run the same command again"
        ) from exc
    entries = list(scratch.iterdir())
    if len(entries) != 1 or not entries[0].is_dir():
        raise VendorError(f"{archive} holds {len(entries)} entries at its top, expected one folder")
    return entries[0]


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        if member.name.startswith("/") or ".." in Path(member.name).parts:
            raise VendorError(
                f"the archive {tar.name!s} wants to write to {member.name}; it is not used"
            )
        # Ours, not its builder's; and readable by the user that runs the servers.
        member.uid, member.gid, member.uname, member.gname = os.geteuid(), os.getegid(), "", ""
        member.mode |= 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        yield member
