"""Debian's packages, unpacked and not installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet_stack.fetch import debian
from fleet_stack.parts.installed import DEBIAN


def fake_apt(known, calls):
    """Stand for apt-get, apt-cache and dpkg."""

    def run(command, folder):
        calls.append(command)
        if command[0] == "apt-cache":
            return "".join(f"Package: {name}\nVersion: 1\n\n" for name in known)
        if command[0] == "apt-get" and "download" in command:
            for name in command[command.index("download") + 1 :]:
                (folder / f"{name}_1_amd64.deb").touch()
        if command[0] == "dpkg":
            unpacked = folder / command[-1] / "usr/bin" / Path(command[-2]).name.partition("_")[0]
            unpacked.parent.mkdir(parents=True, exist_ok=True)
            unpacked.touch()
        return ""

    return run


def test_debian_packages_are_unpacked_and_not_installed(cache):
    """Only what the mirror knows is asked for, with lists of our own; only the result stays."""
    calls = []

    folder = debian.fetch(cache, DEBIAN, fake_apt([*DEBIAN.packages, "libjs-d3"], calls))

    assert (folder / "usr/bin/prometheus-alertmanager").exists()
    assert [path for path in cache.root.iterdir() if path.suffix != ".lock"] == [folder]
    downloads = [command for command in calls if "download" in command]
    assert downloads[0][-3:] == ["prometheus", "prometheus-alertmanager", "libjs-d3"]
    assert not any("install" in command for command in calls)
    assert all(
        any("Dir::State::lists=" in word for word in command)
        for command in calls
        if command[0] != "dpkg"
    )


def test_mirror_without_the_packages_is_named(cache):
    """A mirror that lacks a package is an error with the package's name."""
    with pytest.raises(debian.DebianError, match="no prometheus-alertmanager; add a full mirror"):
        debian.fetch(cache, DEBIAN, fake_apt(["prometheus"], []))


def test_failing_command_tells_its_last_line(tmp_path):
    """What a command said last is what people read."""
    with pytest.raises(debian.DebianError, match="failed: E: no luck"):
        debian.run(["sh", "-c", "echo first >&2; echo E: no luck >&2; exit 100"], tmp_path)
