"""A home: where it lies, what it refuses, what purging removes."""

from __future__ import annotations

import json
import os

import pytest
from fleet_stack.home import homes
from fleet_stack.home.errors import HomeError
from fleet_stack.home.homes import Home, Record


def _enter(home):
    with homes.lock(home):
        pass


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_home_is_in_the_checkout_unless_named(tmp_path):
    """Without FLEET_HOME each checkout has a fleet of its own."""
    assert tmp_path / ".fleet" == homes.locate({}, tmp_path).root
    assert tmp_path / "x" == homes.locate({"FLEET_HOME": str(tmp_path / "x")}, tmp_path).root


@pytest.mark.parametrize("character", ['"', "'", ";", "$", "\n", "#"])
def test_home_with_a_character_that_configurations_cannot_name_is_refused(tmp_path, character):
    """The sentence shows the path; a half-quoted file would fail much later."""
    with pytest.raises(HomeError, match="choose a plainer path"):
        homes.locate({"FLEET_HOME": f"{tmp_path}/a{character}b"})


def test_new_home_is_a_home_at_once(tmp_path):
    """home.json comes first, so that an interrupted start can be run again in the same place."""
    home = Home(tmp_path / "fleet")
    made = homes.create(home, Record(externals=("postgres",)))

    assert made == homes.load(home) == homes.create(home, Record())
    assert home.root.stat().st_mode & 0o777 == 0o755


def test_a_real_fleet_does_not_become_a_twin(tmp_path):
    """Its data never meets that of simulated machines; the sentence says what to do instead."""
    home = Home(tmp_path / "fleet")
    record = homes.create(home, Record())

    with pytest.raises(HomeError, match=r"FLEET_HOME=.fleet-twin ./fleet up --twin 3"):
        homes.settle_twin(home, record, 3)
    assert homes.load(home) == record


def test_a_twin_keeps_its_number_until_another_is_given(tmp_path):
    """`up` alone starts as many nodes as before."""
    home = Home(tmp_path / "fleet")
    record = homes.create(home, Record(twin_nodes=3))

    assert homes.settle_twin(home, record, None).twin_nodes == 3
    assert homes.settle_twin(home, record, 5).twin_nodes == 5
    assert homes.load(home).twin_nodes == 5


def test_home_of_another_format_is_refused_with_both_versions(tmp_path):
    """A newer home is not guessed at."""
    text = json.dumps({"format": 7, "version": "9.1.0"})

    with pytest.raises(HomeError, match=r"format 7 \(of version 9.1.0\).*use the checkout"):
        homes.parse_record(text, tmp_path)


def test_damaged_record_is_named(tmp_path):
    """Broken JSON is no traceback."""
    with pytest.raises(HomeError, match=r"home\.json is damaged"):
        homes.parse_record("{", tmp_path)


def test_record_of_a_later_minor_version_is_read(tmp_path):
    """Unknown keys are left alone: only the format number says what is incompatible."""
    record = homes.parse_record(json.dumps({"format": 1, "version": "0.9", "novelty": 1}), tmp_path)

    assert record.version == "0.9"


def test_folder_with_other_things_does_not_become_a_home(tmp_path):
    """FLEET_HOME=/home/me must not fill and later purge a person's folder."""
    (tmp_path / "letters.txt").write_text("dear")

    with pytest.raises(HomeError, match="not empty"):
        homes.create(Home(tmp_path), Record())
    assert names(tmp_path) == ["letters.txt"]


def test_file_in_the_place_of_a_home_is_refused(tmp_path):
    """A path that cannot be a folder is named."""
    (tmp_path / "file").write_text("")

    with pytest.raises(HomeError, match="cannot be made"):
        homes.create(Home(tmp_path / "file" / "home"), Record())


def test_missing_home_says_how_to_make_one(tmp_path):
    """`status` before the first `up`."""
    with pytest.raises(HomeError, match=r"`\./fleet up` makes one"):
        homes.load(Home(tmp_path / "none"))


@pytest.mark.skipif("os.geteuid() != 0", reason="only root meets homes of others that it can write")
@pytest.mark.parametrize("command", [lambda home: homes.create(home, Record()), _enter])
def test_home_of_another_user_is_refused_with_both_names(tmp_path, command):
    """Root would leave files that the home's user can use no more."""
    home = Home(tmp_path / "fleet")
    homes.create(home, Record())
    os.chown(home.path("home.json"), 1, 1)

    with pytest.raises(HomeError, match=r"made by daemon and you are root; become daemon"):
        command(home)
    assert names(home.root) == ["home.json"]


def test_space_is_that_of_the_nearest_folder(tmp_path):
    """A home that is still to be made lies on its parent's disk."""
    assert homes.find_existing(tmp_path / "not" / "yet") == tmp_path


def test_two_commands_do_not_change_a_home_at_once(tmp_path):
    """The second one is told to wait."""
    home = Home(tmp_path / "fleet")
    homes.create(home, Record())

    with (
        homes.lock(home),
        pytest.raises(HomeError, match=r"another \./fleet command"),
        homes.lock(home),
    ):
        pytest.fail("the lock was given twice")


def test_purge_removes_what_a_home_consists_of_and_nothing_else(tmp_path):
    """A file that a person put there stays, and with it the folder."""
    home = Home(tmp_path / "fleet")
    homes.create(home, Record())
    home.path("logs").mkdir()
    home.path("logs", "node.log").write_text("line")
    home.path("mine.txt").write_text("keep")

    assert [home.path("mine.txt")] == homes.purge(home)
    assert names(home.root) == ["mine.txt"]


def test_purge_removes_the_folder_of_a_clean_home(tmp_path):
    """Nothing is left of a home that held nothing else."""
    home = Home(tmp_path / "fleet")
    homes.create(home, Record())

    assert homes.purge(home) == []
    assert not home.root.exists()


def test_interrupted_purge_can_be_run_again(tmp_path):
    """Whatever is left after any number of its steps is still a home."""
    home = Home(tmp_path / "fleet")
    homes.create(home, Record())
    for name in homes.ENTRIES[:-1]:
        home.path(name).touch()
    for name in homes.ENTRIES[:-1]:
        home.path(name).unlink()
        assert homes.exists(home)

    assert homes.purge(home) == []


def test_every_entry_that_the_launcher_makes_is_purged(tmp_path):
    """The list of entries has no duplicates and names no path outside of the home."""
    assert len(homes.ENTRIES) == len(set(homes.ENTRIES))
    assert not any("/" in entry for entry in homes.ENTRIES)
