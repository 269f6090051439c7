"""Pinned releases: fetched once, checked, and readable by everyone."""

from __future__ import annotations

import hashlib
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler

import pytest
from fix_http import QuietHandler, listen, serving
from fleet_stack.fetch import vendor
from fleet_stack.fetch.cache import Cache, CacheError
from fleet_stack.fetch.download import DownloadError
from fleet_stack.fetch.vendor import Pin


@pytest.fixture
def release(tmp_path):
    """A vendor's server with one release, and its pin."""
    folder = tmp_path / "served"
    unpacked = folder / "prometheus-3.1.0.linux-amd64"
    unpacked.mkdir(parents=True)
    (unpacked / "prometheus").touch(mode=0o700)
    with tarfile.open(folder / "amd64.tar.gz", "w:gz") as tar:
        tar.add(unpacked, unpacked.name)

    class Handler(QuietHandler, SimpleHTTPRequestHandler):
        """Serves the files of the folder."""

    sum_ = hashlib.sha256((folder / "amd64.tar.gz").read_bytes()).hexdigest()
    with serving(listen(partial(Handler, directory=folder))) as url:
        yield Pin("3.1.0", f"{url}/{{arch}}.tar.gz", {"amd64": sum_}, "2.42", ())


def test_release_is_unpacked_for_everyone(release, cache, progress):
    """The cache holds the release, readable by the user that runs the servers, and no archive."""
    folder = vendor.fetch(cache, "prometheus", release, "amd64", progress)

    assert (folder / "prometheus").stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in cache.root.iterdir() if path.suffix != ".lock") == [
        "prometheus-3.1.0"
    ]


def test_release_with_another_sha256_is_not_unpacked(release, cache, progress):
    """A release that is not the pinned one leaves nothing behind."""
    wrong = Pin(**{**vars(release), "sha256": {"amd64": "f" * 64}})

    with pytest.raises(DownloadError, match=r"expected f{64}"):
        vendor.fetch(cache, "prometheus", wrong, "amd64", progress)

    assert [path for path in cache.root.iterdir() if path.suffix != ".lock"] == []


def test_full_disk_is_said_before_the_download(release, tmp_path, progress):
    """The room is looked at first; the error names the place and both amounts."""
    full = Cache(tmp_path / "full", free=lambda path: 5_000_000)

    with pytest.raises(CacheError, match=r"no disk space for prometheus 3\.1\.0: .* has 5 MB free"):
        vendor.fetch(full, "prometheus", release, "amd64", progress)


def test_archive_that_leaves_its_folder_is_refused(tmp_path):
    """An archive must not write elsewhere."""
    (tmp_path / "file").write_text("x")
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.add(tmp_path / "file", "../file")

    with pytest.raises(vendor.VendorError, match=r"wants to write to \.\./file"):
        vendor.unpack(tmp_path / "bad.tar", tmp_path / "into")
