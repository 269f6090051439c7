"""Secrets: made once, readable by their owner alone."""

from __future__ import annotations

import pytest
from fleet_stack.home.account import Account
from fleet_stack.home.errors import HomeError
from fleet_stack.home.secrets import Secrets


def test_secret_is_made_once(tmp_path):
    """A second start finds the password that the database already has."""
    secrets = Secrets(tmp_path / "secrets")

    assert secrets.ensure("a") == secrets.ensure("a") == secrets.read("a")
    assert secrets.ensure("a") != secrets.ensure("b")


def test_secret_is_long_and_plain(tmp_path):
    """At least 192 bits, and nothing that a URL, a shell or Grafana would expand."""
    value = Secrets(tmp_path / "secrets").ensure("a")

    assert len(value) == 32
    assert value.replace("-", "").replace("_", "").isalnum()


def test_modes(tmp_path):
    """0600 files in a 0700 folder."""
    secrets = Secrets(tmp_path / "secrets")
    secrets.put("a", "x")

    assert secrets.folder.stat().st_mode & 0o777 == 0o700
    assert secrets.path("a").stat().st_mode & 0o777 == 0o600


def test_link_in_the_place_of_a_secret_is_not_followed(tmp_path):
    """Root reads what another user owns, and must not read for it what that user may not."""
    secrets = Secrets(tmp_path / "secrets")
    secrets.make()
    (tmp_path / "shadow").write_text("root:x")
    secrets.path("a").symlink_to(tmp_path / "shadow")

    with pytest.raises(HomeError, match="cannot be read"):
        secrets.read("a")


@pytest.mark.skipif("os.geteuid() != 0", reason="only root gives files away")
def test_owner_of_secrets_reads_them_and_changes_no_name(tmp_path):
    """The folder is root's: the servers' user can neither list it nor put a link into it."""
    owner = Account("nobody", 65534, 65533)
    secrets = Secrets(tmp_path / "secrets", owner)
    secrets.put("a", "x")
    folder, file = secrets.folder.stat(), secrets.path("a").stat()

    assert (folder.st_uid, folder.st_gid, folder.st_mode & 0o777) == (0, owner.gid, 0o710)
    assert (file.st_uid, file.st_mode & 0o777) == (owner.uid, 0o600)


def test_missing_secret_names_itself(tmp_path):
    """The sentence says which one and what makes it."""
    with pytest.raises(HomeError, match="admin_token is missing"):
        Secrets(tmp_path).read("admin_token")


def test_known_value_is_not_written_again(tmp_path):
    """An unchanged file keeps its time, so that programs that watch it stay quiet."""
    secrets = Secrets(tmp_path / "secrets")
    secrets.put("a", "x")
    before = secrets.path("a").stat().st_ino
    secrets.put("a", "x")

    assert before == secrets.path("a").stat().st_ino
