"""What downloads need, a cache and a progress that nobody sees; and a strict umask."""

from __future__ import annotations

import io
import os

import pytest
from fleet_stack.fetch.cache import Cache
from fleet_stack.fetch.download_progress import DownloadProgress


@pytest.fixture
def cache(tmp_path):
    (tmp_path / "cache").mkdir()
    return Cache(tmp_path / "cache")


@pytest.fixture
def progress():
    return DownloadProgress(report=lambda line: None, stream=io.StringIO())


@pytest.fixture
def strict_umask():
    """Nobody else may read what is made without a word about it."""
    before = os.umask(0o077)
    yield
    os.umask(before)
