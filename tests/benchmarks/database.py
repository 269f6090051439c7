"""A throw-away PostgreSQL that notes when each row was committed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from contenders import find_port
from fleet_stack.home.placement import find_package
from fleet_timescale.connection import connect
from fleet_timescale.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNER = "fleet_owner"
LATENCY = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - time)::float8 AS seconds
FROM telemetry.hardware
WHERE node = %s AND time > %s
"""


@contextmanager
def run_postgres(folder: Path) -> Iterator[int]:
    """Run a durable server below `folder` and yield its port; as root it runs as `nobody`."""
    package, as_user = find_package(), {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        # The checkout may lie where nobody cannot go: take the programs along.
        shutil.copytree(package / "pginstall", folder / package.name / "pginstall")
        libraries = f"{package.name}.libs"
        shutil.copytree(package.parent / libraries, folder / libraries)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        package = folder / package.name
    programs, data, port = package / "pginstall" / "bin", folder / "data", find_port()

    def call(*command: str | Path) -> None:
        subprocess.run(
            list(map(str, command)), check=True, cwd="/", stdout=subprocess.DEVNULL, **as_user
        )

    call(programs / "initdb", "-D", data, "-U", OWNER, "-A", "trust", "--no-sync")
    control = (programs / "pg_ctl", "-D", data, "-l", data / "log", "-w")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k '' -c track_commit_timestamp=on"
    call(*control, "-o", options, "start")
    try:
        yield port
    finally:
        call(*control, "-m", "immediate", "stop")


def prepare(port: int, nodes: list[str]) -> dict[str, str]:
    """Make a migrated database with these nodes; return each one's address of it."""
    with connect(render_dsn(port, OWNER, "postgres"), "benchmark") as owner:
        owner.execute("CREATE DATABASE fleet")
    with connect(render_dsn(port, OWNER), "benchmark") as owner:
        migrate(owner)
        for node in nodes:
            owner.execute(
                "SELECT fleet.enroll_node(%s, %s, '{generate}', '127.0.0.1:1', NULL)",
                [uuid.uuid4(), node],
            )
    return {node: render_dsn(port, f"fleet_node_{node}") for node in nodes}


def render_dsn(port: int, user: str, name: str = "fleet") -> str:
    """Return an address of the server."""
    return f"postgresql://{user}@127.0.0.1:{port}/{name}"


def read_latencies(port: int, node: str, since: Any) -> list[float]:
    """Return seconds from each reading of a node to the commit of its row."""
    with connect(render_dsn(port, OWNER), "benchmark") as owner:
        return [row["seconds"] for row in owner.execute(LATENCY, [node, since]).fetchall()]
