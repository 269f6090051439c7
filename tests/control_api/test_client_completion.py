"""Shell completion: what can follow, and that shells take the scripts."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from fleet_control_api.client import Place, complete_line
from fleet_control_api.client.completion import complete, render_candidates
from fleet_control_api.client.shells import SCRIPTS, make_whole_parser
from fleet_control_api.service.errors import ClientError

COMMANDS = {"down": ("stop everything", ["--purge"]), "completion": ("for shells", [])}
ROWS = {
    "/nodes": {"nodes": [{"node": "alpha", "state": "online"}, {"node": "beta", "state": "stale"}]},
    "/config": {"settings": [{"key": "temperature", "description": "Sampling"}]},
}


class Known:
    """An API with two nodes and a setting."""

    def call(self, method, path):
        return ROWS[path]


class Silent:
    """An API that does not answer."""

    def call(self, method, path):
        raise ClientError


def words(*line, remote=None):
    return [word for word, _ in complete(make_whole_parser(COMMANDS), line, remote or Known())]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["jo"], ["jobs"]),
        (["do"], ["down"]),
        (["down", "--"], ["--purge"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["tokens", ""], ["list", "make", "revoke"]),
        (["tokens", "list", "--j"], ["--json"]),
        (["tokens", "make", "--scope", "vi"], ["viewer"]),
        (["nodes", "stop", ""], ["alpha", "beta"]),
        (["nodes", "stop", "--reason", "noise", "b"], ["beta"]),
        (["nodes", "stop", "alpha", ""], []),
        (["config", "set", ""], ["temperature"]),
        (["config", "list", "--scope", "node:b"], ["node:beta"]),
        (["dance", ""], []),
        (["jobs", "dance", ""], []),
    ],
)
def test_line_is_completed(line, expected):
    """Commands, verbs, options, values, and names that the API knows."""
    assert words(*line) == expected


def test_silent_api_completes_no_names():
    """And is no error: who presses Tab gets nothing."""
    assert words("nodes", "stop", "", remote=Silent()) == []
    assert words("nodes", "st", remote=Silent()) == ["start", "stop"]


def test_candidates_are_told_with_what_they_are():
    """A line each, whatever a name contains."""
    assert (
        render_candidates([("alpha", "on\nline"), ("b\x1b", "")]) == "alpha\ton line\nb\ufffd\t\n"
    )


def test_names_come_from_a_running_api(served_url, api, capsys):
    """The script asks with the words of the line."""
    argv = ["words", "--", "nodes", "drain", ""]
    assert complete_line(argv, {}, Place({}, served_url, api.token("viewer"))) == 0

    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == [
        "alpha",
        "beta",
    ]


def test_without_a_home_words_are_completed(capsys):
    """There is no address then."""
    complete_line(["words", "--", "nodes", "stop", ""], {}, Place({"FLEET_HOME": "none"}))
    complete_line(["words", "--", "nodes", "sto"], {}, Place({"FLEET_HOME": "none"}))

    assert capsys.readouterr().out.startswith("stop\t")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_shell_takes_its_script(shell, capsys):
    """Checked by the shell itself, where it is installed."""
    assert complete_line([shell], {}, Place({"FLEET_HOME": "none"})) == 0
    script = capsys.readouterr().out
    assert "completion words --" in script
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=script, text=True, check=True, timeout=30)


@pytest.mark.parametrize(
    ("line", "asked", "offered"),
    [
        ("fleet jobs ca", "jobs|ca|", "cancel"),
        ("fleet jobs ", "jobs||", "cancel"),
        ("fleet config list --scope node:al", "config|list|--scope|node:al|", "alpha"),
    ],
)
def test_bash_completes_the_last_word(tmp_path, line, asked, offered):
    """What is asked is the line before the cursor; after a colon bash replaces only the rest."""
    answer = "node:alpha" if ":" in line else "cancel"
    program = tmp_path / "fleet"
    program.write_text(
        '#!/bin/sh\nshift 3\nfor word; do printf \'%s|\' "$word"; done >"$ASKED"\n'
        f"printf '{answer}\\tabout\\n'\n"
    )
    program.chmod(0o755)
    asking = f'COMP_LINE="{line} later"; COMP_POINT={len(line)}; _fleet; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(
        ["bash", "-c", f"{SCRIPTS['bash']}\n{asking}"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "ASKED": str(tmp_path / "asked")},
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip

    assert (done.stdout, (tmp_path / "asked").read_text()) == (f"{offered}\n", asked)
