"""
A whole fleet in a home of its own: the real programs and the real model, started with `./fleet up`.

One fleet serves all tests of this folder, in the order in which they stand; the last one ends it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from functools import cached_property
from pathlib import Path

import psycopg
import pytest
import requests
from psycopg.rows import dict_row

sys.path.insert(0, str(Path(__file__).parent))
CHECKOUT = Path(__file__).parents[2]
GAME = "fleet-acceptance-game.exe"


def wait_for(what: str, condition, seconds: float):
    """Return the first true answer of condition(); fail when none comes in time."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        last = condition()
        if last:
            return last
        time.sleep(0.5)
    return pytest.fail(f"waited {seconds} s for {what}; last answer: {last!r}")


@dataclass
class Fleet:
    """The commands of one home, and what its parts say."""

    home: Path
    environ: dict[str, str]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [CHECKOUT / "fleet", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0 or not check, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    @cached_property
    def exports(self) -> dict[str, str]:
        """What `./fleet env` prints, as a shell understands it; the same for the life of a home."""
        script = 'eval "$("$0" env)" && env -0'
        text = subprocess.run(
            ["sh", "-c", script, CHECKOUT / "fleet"],
            env=self.environ,
            capture_output=True,
            check=True,
        ).stdout.decode()
        return dict(line.split("=", 1) for line in text.split("\0") if line.startswith("FLEET_"))

    def sql(self, query: str, *params) -> list[dict]:
        dsn = self.exports["FLEET_DATABASE_URL"]
        with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query, params).fetchall()

    def number(self, query: str, *params) -> float:
        (row,) = self.sql(query, *params)
        (value,) = row.values()
        return float(value or 0)

    def prometheus(self, query: str) -> float | None:
        url = self.exports["FLEET_PROMETHEUS_URL"] + "/api/v1/query"
        result = requests.get(url, {"query": query}, timeout=5).json()["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def api(self, method: str, path: str) -> requests.Response:
        exports = self.exports
        headers = {"Authorization": f"Bearer {exports['FLEET_ADMIN_TOKEN']}"}
        return requests.request(
            method, exports["FLEET_CONTROL_URL"] + path, headers=headers, timeout=10
        )

    def services(self) -> dict[str, dict]:
        return json.loads(self.run("status", "--json", check=False).stdout)["services"]

    def pid(self, service: str) -> int | None:
        return self.services()[service].get("pid")

    def mails(self, *words: str) -> list[str]:
        folder = Path(self.exports["FLEET_MAIL_DIR"])
        texts = [read_mail(path) for path in sorted(folder.glob("*.eml"))]
        return [text for text in texts if all(word in text for word in words)]

    def processes(self) -> dict[int, str]:
        """All processes started for this home: pid and command line."""
        return processes_of(self.home)

    def wait_for(self, what: str, condition, seconds: float):
        return wait_for(what, condition, seconds)

    def submit(self, scenario: str, count: int) -> str:
        """Order short conversations; return the job's id."""
        order = ["--scenario", scenario, "--count", str(count), "--min-turns", "6"]
        done = self.run("jobs", "submit", *order, "--max-turns", "6", "--json")
        return json.loads(done.stdout)["job_id"]

    def finished(self, job_id: str) -> bool:
        """True when every task of a job has ended and every conversation has its verdict."""
        query = "SELECT state = 'done' AND unjudged = 0 AS ok FROM analytics.jobs WHERE job_id = %s"
        return self.sql(query, job_id)[0]["ok"]


def read_mail(path: Path) -> str:
    """Subject and texts of a mail as a person reads them."""
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    parts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    return "\n".join([mail["Subject"], *parts])


def processes_of(home: Path) -> dict[int, str]:
    """All processes started for a home, by pid."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"FLEET_STACK_HOME={home}".encode() in (folder / "environ").read_bytes().split(
                b"\0"
            ):
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it ended while we looked
    return found


@pytest.fixture(scope="session")
def fleet(tmp_path_factory):
    home = tmp_path_factory.mktemp("home") / "fleet"
    environ = {**os.environ, "FLEET_HOME": str(home), "FLEET_GAME_EXECUTABLES": GAME}
    fleet = Fleet(home, environ)
    try:
        yield fleet
    finally:
        fleet.run("down", "--purge", check=False)
        for pid in processes_of(home):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def second_node(tmp_path, fleet):
    """A home that is a node only; it borrows the first one's model server."""
    llm = fleet.services()["llm"]["url"] + "/v1"
    environ = {**os.environ, "FLEET_HOME": str(tmp_path / "node"), "FLEET_LLM": llm}
    second = Fleet(tmp_path / "node", environ)
    try:
        yield second
    finally:
        second.run("down", "--purge", check=False)


@pytest.fixture
def other_home(tmp_path, fleet):
    """A second home beside the first; it borrows the first one's model server."""
    llm = fleet.services()["llm"]["url"] + "/v1"
    other = Fleet(tmp_path / "other", {**os.environ, "FLEET_HOME": str(tmp_path / "other")})
    other.environ["FLEET_LLM"] = llm
    try:
        yield other
    finally:
        other.run("down", "--purge", check=False)


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    """A home of simulated machines, not started yet."""
    home = tmp_path_factory.mktemp("twin") / "fleet"
    made = Fleet(home, {**os.environ, "FLEET_HOME": str(home)})
    try:
        yield made
    finally:
        made.run("down", "--purge", check=False)
