"""Debian's Alertmanager, run where it is not installed."""

from __future__ import annotations

import subprocess

import pytest
from fleet_stack.fetch import relocate

# Stands for the program: prints the file that it finds below the compiled-in path.
PROGRAM = b'#!/bin/sh\ncat /usr/share/prometheus/alertmanager/default.tmpl\necho "$1"\n'


@pytest.fixture
def folder(tmp_path):
    program = tmp_path / relocate.PROGRAM
    templates = tmp_path / relocate.TEMPLATES
    program.parent.mkdir(parents=True)
    templates.mkdir(parents=True)
    program.write_bytes(PROGRAM)
    program.chmod(0o755)
    (templates / "default.tmpl").write_text("a template\n")
    relocate.relocate(tmp_path)
    return tmp_path


def test_template_is_found_where_it_was_unpacked(folder, tmp_path_factory):
    """From any working folder, and with the arguments that were given."""
    done = subprocess.run(
        [folder / relocate.PROGRAM, "50%"],
        cwd=tmp_path_factory.mktemp("elsewhere"), capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "a template\n50%\n"


def test_length_of_a_program_does_not_change(folder):
    """Offsets inside a program stay valid."""
    assert len(PROGRAM) == (folder / f"{relocate.PROGRAM}.debian").stat().st_size


def test_second_time_changes_nothing(folder):
    """The wrapper is not wrapped."""
    before = (folder / relocate.PROGRAM).read_bytes()
    relocate.relocate(folder)

    assert before == (folder / relocate.PROGRAM).read_bytes()


def test_other_build_is_refused_with_the_remedy():
    """A program that looks elsewhere would fail at its start with less to say."""
    with pytest.raises(relocate.RelocateError, match="FLEET_ALERTMANAGER_HOME"):
        relocate.patch(b"\x7fELF something else")
