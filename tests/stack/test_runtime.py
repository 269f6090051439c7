"""Where the runtime folder lies."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet_stack import runtime
from fleet_stack.account import load_current
from fleet_stack.errors import HomeError
from fleet_stack.home import Home

HOME = Home(Path("/srv/fleet"))


def test_memory_is_preferred():
    """State files are written each second; they belong into memory."""
    assert Path("/run/fleet") / HOME.key == runtime.decide_base(HOME, Path("/run"), Path("/tmp"))


def test_home_is_used_without_memory():
    """A user without XDG_RUNTIME_DIR, as in a container."""
    assert Path("/srv/fleet/run") == runtime.decide_base(HOME, None, Path("/tmp"))


def test_socket_path_stays_short():
    """The kernel cuts socket paths at 107 characters; a deep home gets a short place."""
    deep = Home(Path("/srv") / ("x" * 100))
    base = runtime.decide_base(deep, None, Path("/tmp"))

    assert Path("/tmp") == base.parent
    assert len(str(base / runtime.SOCKET)) <= runtime.SOCKET_LENGTH


def test_node_folder_is_made_and_removed(tmp_path):
    """`down` leaves nothing, nor an empty folder above it."""
    base = tmp_path / "fleet" / "key"
    base.mkdir(parents=True)
    folder = runtime.prepare_node(base, "alpha", load_current())

    assert folder.is_dir()
    runtime.remove(base)
    assert list(tmp_path.iterdir()) == []


def test_link_in_the_place_of_the_folder_is_refused(tmp_path):
    """In a shared place for temporary files others may have prepared something."""
    home = Home(tmp_path / ("x" * 80))
    home.root.mkdir()
    (home.root / "run").symlink_to(tmp_path)
    base = runtime.decide_base(home, None, tmp_path)
    if not base.is_symlink():
        base.symlink_to(tmp_path)

    with pytest.raises(HomeError, match="belongs to another user"):
        runtime.make_base(base)
