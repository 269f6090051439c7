"""The command `fleet` and what it prints for shells."""

from __future__ import annotations

import pytest
from fleet_stack import cli


def test_unknown_command_is_one_line(capsys):
    """No traceback, exit code 1, and where the list is."""
    assert cli.main(["dance"]) == 1
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


def test_nouns_are_those_of_the_client(capsys):
    """The help promises nothing that the control API's client does not know."""
    from fleet_control_api.client import make_parser  # noqa: PLC0415 - used by one test

    for noun in cli.NOUNS:
        with pytest.raises(SystemExit, match="0"):
            make_parser().parse_args([noun, "--help"])
    assert "usage" in capsys.readouterr().out
