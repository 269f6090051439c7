"""Files and folders of a home: what is given away, and what must not be."""

from __future__ import annotations

import pytest
from fleet_stack.home.account import Account, load_current
from fleet_stack.home.errors import HomeError
from fleet_stack.home.files import make_folder, read_tail, store_text
from fleet_stack.home.homes import Home
from fleet_stack.run import grafana, render

NOBODY = Account("nobody", 65534, 65534)


def test_link_in_the_place_of_a_folder_is_refused(tmp_path):
    """Mode and owner of what it leads to stay as they are."""
    (tmp_path / "etc").mkdir(mode=0o700)
    (tmp_path / "data").symlink_to(tmp_path / "etc")

    with pytest.raises(HomeError, match=r"data is a link; put a folder there"):
        make_folder(tmp_path / "data", mode=0o777, owner=load_current())
    assert (tmp_path / "etc").stat().st_mode & 0o777 == 0o700


def test_link_that_leads_nowhere_is_refused(tmp_path):
    """Nothing appears where it points."""
    (tmp_path / "data").symlink_to(tmp_path / "none")

    with pytest.raises(HomeError, match="is a link"):
        make_folder(tmp_path / "data")
    assert not (tmp_path / "none").exists()


def test_link_in_the_place_of_a_file_is_replaced(tmp_path):
    """Never written through."""
    (tmp_path / "victim").write_text("dear")
    (tmp_path / "file").symlink_to(tmp_path / "victim")
    store_text(tmp_path / "file", "new")

    assert ((tmp_path / "victim").read_text(), (tmp_path / "file").read_text()) == ("dear", "new")


def test_missing_parents_can_be_entered_by_everyone(tmp_path, strict_umask):
    """Root's umask must not keep the servers' user out of what is made for it."""
    make_folder(tmp_path / "fleet" / "key", mode=0o700)

    assert (tmp_path / "fleet").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "fleet" / "key").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["grafana", "prometheus"])
def test_link_below_a_programs_folder_is_refused(tmp_path, name):
    """One that an earlier owner of the folder left there stops the start."""
    (tmp_path / "etc").mkdir()
    (tmp_path / name).mkdir()
    below = "provisioning" if name == "grafana" else "data"
    (tmp_path / name / below).symlink_to(tmp_path / "etc")

    with pytest.raises(HomeError, match=f"{below} is a link"):
        render.make_folders(Home(tmp_path), name, load_current())
    assert not any((tmp_path / "etc").iterdir())


@pytest.mark.skipif("os.geteuid() != 0", reason="only root gives folders away")
def test_servers_get_only_the_folders_that_they_write(tmp_path):
    """Where root writes, nobody else can put a link; also where it was otherwise before."""
    make_folder(tmp_path / "grafana", mode=0o700, owner=NOBODY)
    render.make_folders(Home(tmp_path), "grafana", NOBODY)
    owners = {
        str(path.relative_to(tmp_path / "grafana")): path.stat().st_uid
        for path in (tmp_path / "grafana").rglob("*")
    }

    assert (tmp_path / "grafana").stat().st_uid == 0
    assert {name for name, uid in owners.items() if uid == NOBODY.uid} == set(grafana.WRITTEN)
    assert set(grafana.READ) < set(owners)


def test_end_of_a_long_file_is_read(tmp_path):
    """The last lines, in order; a log may have megabytes before them."""
    file = tmp_path / "it.log"
    file.write_text("x\n" * 100_000 + "a\nb\n")

    assert read_tail(file, 2) == "a\nb"
