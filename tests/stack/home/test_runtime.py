"""Where the runtime folder lies."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet_stack.home import runtime
from fleet_stack.home.account import Account
from fleet_stack.home.errors import HomeError
from fleet_stack.home.homes import Home

HOME = Home(Path("/srv/fleet"))


def test_memory_is_preferred():
    """State files are written each second; they belong into memory."""
    assert Path("/run/fleet") / HOME.key == runtime.decide_base(HOME, Path("/run"), Path("/tmp"))


@pytest.mark.parametrize(("lingers", "expected"), [(True, True), (False, False)])
def test_memory_of_a_session_is_used_only_where_it_outlives_the_session(
    tmp_path, lingers, expected
):
    """The last logout removes it, and the fleet runs on."""
    ann = Account("ann", 1000, 1000)
    if lingers:
        (tmp_path / "ann").touch()
    found = runtime.find_memory({"XDG_RUNTIME_DIR": str(tmp_path)}, ann, tmp_path)

    assert (found == tmp_path) is expected


def test_place_of_a_running_fleet_is_kept(tmp_path):
    """Another shell may know of another place; two supervisors would fight over ports."""
    home = Home(tmp_path / "home")
    kept = tmp_path / "fleet" / home.key
    kept.mkdir(parents=True)
    (kept / runtime.SOCKET).touch()

    assert kept == runtime.prepare(home, {}, kept)


def test_home_is_used_without_memory():
    """A user without XDG_RUNTIME_DIR, as in a container."""
    assert Path("/srv/fleet/run") == runtime.decide_base(HOME, None, Path("/tmp"))


def test_socket_path_stays_short():
    """The kernel cuts socket paths at 107 characters; a deep home gets a short place."""
    deep = Home(Path("/srv") / ("x" * 100))
    base = runtime.decide_base(deep, None, Path("/tmp"))

    assert Path("/tmp") == base.parent
    assert len(str(base / runtime.SOCKET)) <= runtime.SOCKET_LENGTH


def test_folder_is_removed_with_the_nodes_below_it(tmp_path):
    """`down` leaves nothing, nor an empty folder above it."""
    base = runtime.make_base(tmp_path / "fleet" / HOME.key)
    (base / "alpha").mkdir()

    runtime.remove(HOME, base)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "named", ["precious", f"fleet/../fleet/{HOME.key}", "fleet/another", f"x/{HOME.key}"]
)
def test_folder_that_is_no_runtime_folder_of_the_home_is_never_removed(tmp_path, named):
    """stack.json is a file that anything may have written to: it names no victim."""
    base = tmp_path / named
    base.mkdir(parents=True)

    with pytest.raises(HomeError, match="no runtime folder of this home; remove that file"):
        runtime.remove(HOME, base)
    assert base.is_dir()


def test_link_to_a_folder_is_never_removed_as_a_runtime_folder(tmp_path):
    """The right name, but not what we made."""
    (tmp_path / "precious").mkdir()
    base = tmp_path / "fleet" / HOME.key
    base.parent.mkdir()
    base.symlink_to(tmp_path / "precious")

    with pytest.raises(HomeError, match="no runtime folder of this home"):
        runtime.remove(HOME, base)
    assert (tmp_path / "precious").is_dir()


@pytest.mark.parametrize("memory", [Path("/run"), Path("/run/user/7"), None])
def test_every_place_that_is_chosen_can_be_removed_again(memory):
    """Wherever `up` put it, and whatever the environment of `down` is."""
    deep = Home(Path("/srv") / ("x" * 100))

    for home in (HOME, deep):
        assert runtime.is_possible(home, runtime.decide_base(home, memory, Path("/tmp")))


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
