"""The command `fleet` and what it prints for shells."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fleet_stack import cli
from fleet_stack.commands.env import render
from fleet_stack.commands.logs import parse_tail
from fleet_stack.home.errors import HomeError, StackError
from fleet_stack.home.homes import Record
from fleet_stack.home.secrets import Secrets
from fleet_stack.run.preflight import keep_externals, parse_externals


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


def test_exports_survive_the_shell():
    """Quotes, spaces and dollars arrive as they were; psql's folder comes first on PATH."""
    values = {"FLEET_HOME": "/srv/my fleet", "FLEET_ADMIN_TOKEN": "a'b$c"}
    script = (
        render(values, Path("/pg bin"))
        + '\nprintf "%s|%s|%s" "$FLEET_HOME" "$FLEET_ADMIN_TOKEN" "$PATH"'
    )
    said = subprocess.run(
        ["sh", "-c", script], env={"PATH": "/bin"}, capture_output=True, text=True, check=True
    )

    assert said.stdout == "/srv/my fleet|a'b$c|/pg bin:/bin"


def test_external_address_must_be_one():
    """A host name alone is refused with the variable's name."""
    with pytest.raises(StackError, match="FLEET_EXTERNAL_PROMETHEUS_URL"):
        parse_externals({"FLEET_EXTERNAL_PROMETHEUS_URL": "prometheus.lan"})


def test_external_addresses_are_fixed_at_the_first_start(tmp_path):
    """The next start needs no variable, and another address is refused."""
    secrets, record = Secrets(tmp_path), Record(externals=("postgres",))
    given = {"postgres": "postgresql://a:b@db/x"}

    assert given == keep_externals(record, given, secrets) == keep_externals(record, {}, secrets)
    with pytest.raises(HomeError, match="FLEET_EXTERNAL_DATABASE_URL differs"):
        keep_externals(record, {"postgres": "postgresql://a:b@other/x"}, secrets)
    with pytest.raises(HomeError, match="FLEET_EXTERNAL_GRAFANA_URL differs"):
        keep_externals(record, {"grafana": "http://grafana.lan"}, secrets)


def test_tail_is_the_end():
    """The last lines, in order."""
    assert parse_tail("a\nb\nc\n", 2) == "b\nc"


def test_nouns_are_those_of_the_client(capsys):
    """The help promises nothing that the control API's client does not know."""
    from fleet_control_api.client import make_parser  # noqa: PLC0415 - used by one test

    for noun in cli.NOUNS:
        with pytest.raises(SystemExit, match="0"):
            make_parser().parse_args([noun, "--help"])
    assert "usage" in capsys.readouterr().out
