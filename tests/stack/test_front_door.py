"""The shell script `fleet`, with a PATH that holds only what each test allows."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
FILES = (
    "fleet",
    "pyproject.toml",
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-llm.txt",
)
TOOLS = ("cat", "cksum", "cut", "date", "dirname", "flock", "grep", "id", "ls", "mkdir", "mktemp",
         "mv", "readlink", "rm", "sed", "sh", "sleep", "tail")  # fmt: skip
STAMPED = ("fleet", "pyproject.toml", "requirements.txt", "requirements-llm.txt")


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a blank in its path and no .venv."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in FILES:
        shutil.copy(CHECKOUT / name, folder)
    return folder


@pytest.fixture
def tools(tmp_path):
    """A folder that is the whole PATH: the plain tools of a small system, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name))
    return folder


@pytest.fixture
def environ(tools, tmp_path):
    return {"PATH": str(tools), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}


def add_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def make_environment(checkout: Path) -> None:
    """A finished .venv whose Python prints its arguments."""
    add_program(
        checkout / ".venv/bin/python",
        '[ "$1" != -V ] || { echo Python 3.11.9; exit; }\n'
        'printf "%s\\n" "$@" "$PWD" "${PYTHONPATH-unset}"',
    )
    sums = subprocess.run(
        ["cksum", *STAMPED], cwd=checkout, capture_output=True, text=True, check=True
    ).stdout
    (checkout / ".venv/fleet.stamp").write_text(f"Python 3.11.9\n{checkout}\n{sums}")


@contextmanager
def held(checkout: Path):
    """The lock of a run that prepares the checkout."""
    descriptor = os.open(checkout, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def run(command, environ, **options):
    return subprocess.run(
        [command, *options.pop("arguments", [])],
        env=environ, capture_output=True, text=True, check=False,
        timeout=180, **options,
    )  # fmt: skip


@pytest.mark.parametrize("shell", ["dash", "sh", "bash"])
def test_script_is_plain_shell(shell):
    """Every shell that a system may call sh can read the script."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")

    assert subprocess.run([shell, "-n", CHECKOUT / "fleet"], check=False).returncode == 0


def test_finished_environment_is_handed_over_to(checkout, environ, tmp_path):
    """Arguments and the caller's folder arrive unchanged; PYTHONPATH chooses no module of ours."""
    make_environment(checkout)

    done = run(
        checkout / "fleet",
        environ | {"PYTHONPATH": "/elsewhere"},
        arguments=["jobs", "a b", "$HOME"],
        cwd=tmp_path,
    )

    assert done.stdout.splitlines() == [
        "-P",
        "-m",
        "fleet_stack",
        "jobs",
        "a b",
        "$HOME",
        str(tmp_path),
        "unset",
    ]
    assert done.stderr == ""


def test_script_finds_its_checkout_through_links(checkout, environ, tmp_path):
    """A link to a link to the script, in another folder, does what the script does."""
    make_environment(checkout)
    (checkout / "relative").symlink_to("fleet")
    (tmp_path / "fleet link").symlink_to(checkout / "relative")

    done = run(tmp_path / "fleet link", environ, arguments=["status"], cwd="/")

    assert done.stdout.splitlines()[:4] == ["-P", "-m", "fleet_stack", "status"]


@pytest.mark.parametrize(
    "change",
    [
        lambda checkout: (checkout / "requirements.txt").write_text("changed"),
        lambda checkout: (checkout / ".venv/fleet.unfinished").touch(),
        lambda checkout: (checkout / ".venv/bin/python").unlink(),
        lambda checkout: checkout.rename(checkout.with_name("moved")),
    ],
    ids=["requirements changed", "killed half-way", "python gone", "checkout moved"],
)
def test_environment_that_is_not_good_any_more_is_made_again(checkout, environ, change):
    """An environment that does not fit is never handed over to."""
    make_environment(checkout)
    change(checkout)
    script = next(checkout.parent.glob("*/fleet"))

    done = run(script, environ, arguments=["status"])

    assert done.returncode == 1
    assert "finds none on PATH" in done.stderr
    assert done.stdout == ""


def test_tests_have_requirements_of_their_own(checkout, environ):
    """What is enough for `up` is not enough for `test`."""
    make_environment(checkout)

    assert run(checkout / "fleet", environ, arguments=["test"]).returncode == 1


def test_missing_python_is_said(checkout, environ):
    """Without Python and apt-get the versions that would do are named."""
    done = run(checkout / "fleet", environ, arguments=["up"])

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "fleet: needs Python 3.11, 3.12 or 3.13, and finds none on PATH. "
        "Install one and run the same command again.\n"
    )
    assert not (checkout / ".venv").exists()


def test_wrong_python_is_named_with_its_version(checkout, environ, tools):
    """Too old or too new: the error tells which Python was found."""
    add_program(tools / "python3", "case $1 in -V) echo Python 3.9.2 ;; *) exit 1 ;; esac")

    done = run(checkout / "fleet", environ, arguments=["up"])

    assert done.returncode == 1
    assert f"{tools}/python3 is Python 3.9.2" in done.stderr


@pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="asks Debian's package tools")
def test_user_without_rights_gets_the_line_to_run(checkout, environ, tools):
    """Who is not root is told the one command, and nothing is changed."""
    add_program(tools / "apt-get", "exit 99")
    (tools / "id").unlink()
    add_program(tools / "id", "echo 1000")

    done = run(checkout / "fleet", environ, arguments=["up"])

    assert done.returncode == 1
    assert (
        "sudo apt-get update && "
        "sudo apt-get install -y --no-install-recommends python3 python3-venv" in done.stderr
    )


@pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="asks Debian's package tools")
def test_root_gets_the_packages_installed(checkout, environ, tools, tmp_path):
    """As root the missing packages are installed unasked; a failure shows what apt-get said."""
    add_program(tools / "apt-get", f'echo "$@" >>"{tmp_path}/calls"; echo "E: no luck"; exit 100')
    add_program(tools / "dpkg", "exit 0")
    (tools / "id").unlink()
    add_program(tools / "id", "echo 0")

    done = run(checkout / "fleet", environ, arguments=["up"])

    calls = (tmp_path / "calls").read_text()
    assert "install -y --no-install-recommends python3 python3-venv" in calls
    assert "update" in calls
    assert done.returncode == 1
    assert "    E: no luck\nfleet: apt-get failed" in done.stderr


def test_unreachable_index_is_said_in_a_sentence(checkout, environ, tools):
    """Without a network the sentence says so, and the next run starts anew."""
    (tools / "python3").symlink_to(os.path.realpath(sys.executable))
    (tools / "sleep").unlink()
    add_program(tools / "sleep", f"exec {shutil.which('sleep')} 0.2")  # before the second try
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": "/dev/null",
    }

    done = run(checkout / "fleet", environ | nowhere, arguments=["up"])

    assert done.returncode == 1
    assert "fleet: no network: PyPI (the Python package index) could not be reached." in done.stderr
    assert (checkout / ".venv/fleet.unfinished").exists()
    assert not (checkout / ".venv/fleet.stamp").exists()


def test_second_run_waits_for_the_first(checkout, environ):
    """Two runs at once make the environment once."""
    with held(checkout):
        waiting = subprocess.Popen(
            [checkout / "fleet", "status"],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = waiting.stderr.readline()
        make_environment(checkout)  # as the first run would
    out, _ = waiting.communicate(timeout=60)

    assert said == "fleet: another ./fleet prepares this checkout; waiting for it\n"
    assert out.splitlines()[:4] == ["-P", "-m", "fleet_stack", "status"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder of somebody else's")
def test_checkout_of_somebody_else_is_said(checkout, environ, tmp_path):
    """A folder that cannot be written is named, with what to do."""
    with tempfile.TemporaryDirectory() as public:  # the folders of pytest are closed to others
        shutil.copytree(checkout, public, dirs_exist_ok=True)
        shutil.copytree(tmp_path / "bin", f"{public}/bin", symlinks=True)
        Path(public).chmod(0o755)
        everybody = {**environ, "PATH": f"{public}/bin"}
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        done = run(Path(public) / "fleet", everybody, arguments=["up"], **nobody)

    assert done.returncode == 1
    assert f"cannot write to {public}, where .venv belongs" in done.stderr
