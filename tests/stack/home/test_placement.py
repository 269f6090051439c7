"""Who runs the servers, and where PostgreSQL lies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fleet_stack.home import placement
from fleet_stack.home.account import Account, can_enter, load_current
from fleet_stack.home.errors import HomeError
from fleet_stack.home.files import make_folder
from fleet_stack.home.homes import Home
from fleet_stack.home.placement import Placement

HOME = Home(Path("/srv/fleet"))
ROOT, FLEET, ANN = Account("root", 0, 0), Account("fleet", 990, 990), Account("ann", 1000, 1000)


def test_user_runs_everything():
    """Without root there is one user, and all state is in the home."""
    place = placement.decide(HOME, ANN, None, None)

    assert (ANN, ANN, Path("/srv/fleet/postgres"), "") == (
        place.programs, place.postgres, place.postgres_folder, place.note,
    )  # fmt: skip


def test_root_hands_everything_to_the_system_user():
    """Started as root nothing of ours runs as root."""
    place = placement.decide(HOME, ROOT, FLEET, None)

    assert (place.programs, place.postgres) == (FLEET, FLEET)
    assert not place.is_moved


def test_home_below_a_closed_folder_moves_only_postgresql():
    """PostgreSQL refuses root; the rest runs as root, and says so with the place."""
    place = placement.decide(HOME, ROOT, FLEET, Path("/root/x"))

    assert (place.programs, place.postgres) == (ROOT, FLEET)
    assert Path("/var/lib/fleet") / HOME.key == place.postgres_folder
    assert place.is_moved
    assert "for evaluation only" in place.note
    assert "/root/x" in place.note


def test_moved_folder_of_another_home_is_left_alone(tmp_path):
    """Two homes may have had the same path at different times."""
    folder = tmp_path / HOME.key
    folder.mkdir()
    (folder / "home").write_text("/srv/other\n")

    assert "belongs to /srv/other" in placement.purge(HOME, str(folder), tmp_path)
    assert folder.exists()


def test_moved_folder_of_this_home_is_removed(tmp_path):
    """The name inside is what proves it."""
    folder = tmp_path / HOME.key
    folder.mkdir()
    (folder / "home").write_text("/srv/fleet\n")

    assert placement.purge(HOME, str(folder), tmp_path) == ""
    assert not folder.exists()


@pytest.mark.parametrize("folder", ["moved", "inside"])
def test_database_without_its_password_is_named_with_the_remedy(tmp_path, folder):
    """A home removed by hand leaves its database; a new one must not fail at its password."""
    place = Placement(ROOT, FLEET, tmp_path / folder)
    placement.refuse_leftover(HOME, place)
    place.data.mkdir(parents=True)

    with pytest.raises(HomeError, match=rf"{folder} holds the database.*down --purge.*FLEET_HOME"):
        placement.refuse_leftover(HOME, place)


def test_place_that_the_servers_user_cannot_read_is_named_before_the_start():
    """Root can read it, so nothing else says so until the model server fails."""

    def can_enter(account, paths):
        return account == FLEET and Path("/root/m.gguf") not in paths

    places = {"grafana": Path("/opt/grafana"), "alertmanager": None}
    placement.check_access(FLEET, places, can_enter)

    with pytest.raises(HomeError, match=r"FLEET_MODEL \(/root/m.gguf\) cannot .* user fleet"):
        placement.check_access(FLEET, {**places, "FLEET_MODEL": Path("/root/m.gguf")}, can_enter)


def test_moved_programs_can_be_run_by_everyone(tmp_path, strict_umask):
    """Root copies them for another user, whatever root's umask."""
    package = tmp_path / "site" / placement.PACKAGE
    for file in (package / "pginstall/bin/postgres", package.parent / placement.LIBRARIES / "a.so"):
        file.parent.mkdir(parents=True)
        file.touch()
    for path in (tmp_path / "site").rglob("*"):
        path.chmod(0o755)
    placement.copy_programs(package, make_folder(tmp_path / "moved"))
    copied = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "moved").rglob("*")}

    assert {path.name for path in copied} >= {"postgres", "a.so"}
    assert set(copied.values()) == {0o755}


def test_data_inside_the_home_are_not_purged_here(tmp_path):
    """They go with the home's own entries."""
    assert placement.purge(HOME, "/srv/fleet/postgres", tmp_path) == ""


def test_entry_is_asked_of_the_kernel(tmp_path):
    """The invoking user can enter what it can enter."""
    assert can_enter(load_current(), [tmp_path])


@pytest.mark.skipif("os.geteuid() != 0", reason="only root becomes another user")
def test_closed_folder_cannot_be_entered_by_another_user(tmp_path):
    """0700 of root stops the user nobody."""
    tmp_path.chmod(0o700)
    nobody = replace(FLEET, name="nobody", uid=65534, gid=65534)

    assert not can_enter(nobody, [tmp_path])
