"""Download an export into a file: complete and verified, or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import requests

from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_control_api.client.remote import Remote

PIECE = 64 * 1024  # bytes
MANIFEST = "manifest.json"

Report = Callable[[int], None]


def report_progress(size_bytes: int) -> None:
    """Show how much has arrived, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{size_bytes / 1e6:.1f} MB received ")
        sys.stderr.flush()


def fetch_export(
    remote: Remote,
    path: str,
    query: Mapping[str, Any],
    out: Path,
    report: Report = report_progress,
) -> dict[str, Any]:
    """
    Write an export to `out` and return its manifest.

    It is written beside `out` as .part, checked, and only then renamed. Raises ClientError; then
    `out` is as it was.
    """
    if out.is_dir():
        raise ClientError(f"{out} is a folder; name a file in it, such as {out / 'lex.zip'}")
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("wb") as file, removing(part):
            receive(remote, path, query, file, report)
            manifest = check_archive(part)
            part.replace(out)
        sync_folder(out.parent)
    except OSError as exc:
        raise ClientError(describe_os_error(out, exc)) from exc
    return manifest


@contextmanager
def removing(path: Path) -> Iterator[None]:
    """Remove the file when the block fails; a renamed one is no longer there."""
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def receive(
    remote: Remote, path: str, query: Mapping[str, Any], file: BinaryIO, report: Report
) -> None:
    """Write the response to the file as it arrives, and sync it to disk."""
    size = 0
    with remote.open("GET", path, query=query) as response:
        pieces = response.iter_content(PIECE)
        while True:
            try:
                piece = next(pieces, b"")
            except requests.RequestException as exc:
                raise ClientError(
                    "the export was cut off; try again, or see `./fleet logs control-api`"
                ) from exc
            if not piece:
                break
            file.write(piece)
            size += len(piece)
            report(size)
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    file.flush()
    os.fsync(file.fileno())


def check_archive(path: Path) -> dict[str, Any]:
    """Return the manifest, once every file that it names is there with its sha256."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
            names = set(archive.namelist()) - {MANIFEST}
            if len(names) != manifest["conversations"] or len(manifest["files"]) != len(names):
                raise ClientError(
                    f"the export has {len(names)} files, its manifest says "
                    f"{manifest['conversations']}; try again"
                )
            for entry in manifest["files"]:
                data = archive.read(entry["name"])
                if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                    raise ClientError(f"{entry['name']} is damaged; try again")
    except (zipfile.BadZipFile, zlib.error, KeyError, TypeError, ValueError) as exc:
        raise ClientError(f"what arrived is not a complete export ({exc}); try again") from exc
    return manifest


def sync_folder(folder: Path) -> None:
    """Sync the folder, where the system can, so that the renaming survives a power cut."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def describe_os_error(out: Path, error: OSError) -> str:
    """Return why a file could not be written, and what to do."""
    if error.errno == errno.ENOENT:
        return f"the folder {out.parent} does not exist; make it, or choose another --out"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"{out} cannot be written here ({error.strerror}); choose another --out"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"no space is left for {out}; free some, or choose another --out"
    return f"{out} cannot be written ({error.strerror or error}); choose another --out"
