"""The command `fleet` and what it prints for shells."""

from __future__ import annotations

import pytest
from fleet_stack import cli


def test_unknown_command_is_one_line(capsys):
    """No traceback, exit code 2, and where the list is."""
    assert cli.main(["dance"]) == 2
    assert (
        capsys.readouterr().err == "fleet: there is no command 'dance'; `./fleet help` lists them\n"
    )


def test_help_lists_every_command(capsys):
    """Commands and nouns."""
    assert cli.main([]) == 0
    text = capsys.readouterr().out

    assert all(name in text for name in (*cli.COMMANDS, *cli.NOUNS))


@pytest.mark.parametrize(
    "target", [target for _, target in cli.COMMANDS.values()] + list(cli.PROGRAMS.values())
)
def test_every_subcommand_can_be_loaded(target):
    """A renamed module is found here, not by a person."""
    assert callable(cli.load(target))


def test_nouns_are_those_of_the_client():
    """The help tells all that the control API's client knows, and promises nothing else."""
    from fleet_control_api.client import make_parser  # noqa: PLC0415 - used by one test

    [nouns] = [action for action in make_parser()._actions if isinstance(action.choices, dict)]

    assert set(cli.NOUNS) == set(nouns.choices)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (["stat"], ["status"]),
        (["down", "--p"], ["--purge"]),
        (["logs", "--"], ["--help", "--follow", "--lines"]),
        (["nodes", "dr"], ["drain"]),
    ],
)
def test_commands_and_nouns_are_completed(tmp_path, monkeypatch, capsys, line, offered):
    """Also where there is no home yet."""
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "none"))
    assert cli.main(["completion", "words", "--", *line]) == 0

    assert [told.split("\t")[0] for told in capsys.readouterr().out.splitlines()] == offered
