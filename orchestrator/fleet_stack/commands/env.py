"""
`fleet env`: print addresses and tokens as shell exports, for people and tools.

No program of ours reads them. The client of the control API gets its address and token here, the
twin its home.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from fleet_stack.commands.progress import say
from fleet_stack.home import (
    MANAGED,
    Decision,
    HomeError,
    Secrets,
    addresses,
    homes,
    placement,
    ports,
    runtime,
    stack,
)
from fleet_stack.run import supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home import Home

CLIENT = "fleet_control_api.client"
TWIN = "fleet_twin.cli"
GRAFANA = "fleet_dashboards.push"
EXTERNAL_URL = "external_grafana_url"  # a secret: it may have a login


def main(argv: list[str]) -> int:
    """Run the command."""
    argparse.ArgumentParser(
        prog="fleet env", description="Print addresses as shell exports."
    ).parse_args(argv)
    home = homes.locate(os.environ)
    record = homes.load(home)
    values = collect(home, load_decision(home), Secrets(home.path("secrets")))
    say(render(values, placement.find_bin(Path(record.postgres_folder))))
    return 0


def load_decision(home: Home) -> Decision:
    """Return what the last start decided. Raises HomeError when none got that far."""
    decision = stack.load(home)
    if decision is None or not decision.node:
        raise HomeError(f"the first start of {home.root} was interrupted; run `./fleet up` again")
    return decision


def collect(home: Home, decision: Decision, secrets: Secrets) -> dict[str, str]:
    """Return the variables."""
    parts = decision.parts
    if decision.is_node_only:
        return {
            "FLEET_HOME": str(home.root),
            "FLEET_CONTROL_URL": parts["control-api"].url,
            "FLEET_NODE": decision.node,
        }
    return {
        "FLEET_HOME": str(home.root),
        "FLEET_DATABASE_URL": secrets.read("owner.dsn"),
        "FLEET_GRAFANA_DATABASE_URL": secrets.read("grafana.dsn"),
        "FLEET_PROMETHEUS_URL": parts["prometheus"].url,
        "FLEET_ALERTMANAGER_URL": parts["alertmanager"].url,
        "FLEET_GRAFANA_URL": parts["grafana"].url,
        "FLEET_CONTROL_URL": parts["control-api"].url,
        "FLEET_ADMIN_TOKEN": secrets.read("admin_token"),
        "FLEET_MAIL_DIR": str(home.path("mail")),
        **find_trust(decision),
    }


def find_trust(decision: Decision) -> dict[str, str]:
    """Return what callers of the control API need beside its address; nothing for plain HTTP."""
    told = {
        "FLEET_CONTROL_CA_FILE": decision.control_ca_file,
        "FLEET_CONTROL_SERVER_NAME": decision.control_server_name,
    }
    return {name: value for name, value in told.items() if value}


def render(values: dict[str, str], programs: Path) -> str:
    """Return lines for `eval`; the folder with psql comes first on PATH."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    lines.append(f'export PATH={shlex.quote(str(programs))}:"$PATH"')
    return "\n".join(lines)


def call_twin(argv: list[str]) -> int:
    """Run a command of the twin in this home. Raises HomeError where there is none."""
    home = homes.locate(os.environ)
    count = homes.load(home).twin_nodes
    if not count:
        raise HomeError(
            f"{home.root} is the home of a real fleet; name that of a twin, as in "
            "FLEET_HOME=.fleet-twin ./fleet twin faults"
        )
    secrets = Secrets(home.path("secrets"))
    # Before the first start has made one, the faults can be set all the same.
    dsn = secrets.read("owner.dsn") if secrets.has("owner.dsn") else ""
    return int(
        importlib.import_module(TWIN).main(
            argv,
            home.path("twin"),
            count,
            dsn,
            read_addresses=partial(read_addresses, home),
            read_processes=partial(read_processes, home),
        )
    )


def read_addresses(home: Home) -> dict[str, str]:
    """Return what `fleet env` prints. Raises HomeError before the first start."""
    return collect(home, load_decision(home), Secrets(home.path("secrets")))


def read_processes(home: Home) -> dict[str, int]:
    """Return the process ids of what supervisor runs now, by program."""
    found = supervisor.read_processes(Path(load_decision(home).runtime) / runtime.SOCKET) or {}
    return {name: process.pid for name, process in found.items() if process.pid is not None}


def call_client(argv: list[str]) -> int:
    """Run a command of the control API's client, against this home or where somebody logged in."""
    client = importlib.import_module(CLIENT)
    return int(client.main(argv, client.Place(os.environ, **find_client(homes.locate(os.environ)))))


def call_grafana(argv: list[str]) -> int:
    """Compare or change the dashboards in a Grafana with what this home has."""
    home = homes.locate(os.environ)
    homes.load(home)
    decision, secrets = load_decision(home), Secrets(home.path("secrets"))
    if decision.is_node_only:
        raise HomeError(f"{home.root} is a node only; its fleet has the dashboards")
    # It renders templates, which all other commands here need not wait for.
    from fleet_stack.run import render as templates  # noqa: PLC0415

    push, parts = importlib.import_module(GRAFANA), decision.parts
    database = urlsplit(parts["postgres"].url)
    places = push.Addresses(
        prometheus_url=parts["prometheus"].url,
        database=addresses.parse_place(parts["postgres"].url),
        control_url=parts["control-api"].url,
        database_name=database.path.lstrip("/"),
        sslmode=templates.decide_sslmode(secrets.read("owner.dsn")),
        control_server_name=decision.control_server_name,
    )
    authority = Path(decision.control_ca_file).read_text() if decision.control_ca_file else ""
    shown = push.Secrets(secrets.read("grafana_password"), secrets.read("proxy_secret"), authority)
    return int(
        push.main(
            argv,
            places,
            shown,
            url=parts["grafana"].url,
            root_url=decision.grafana_public_url,
            credential=find_grafana_login(decision, secrets),
        )
    )


def find_grafana_login(decision: Decision, secrets: Secrets) -> tuple[str, str] | None:
    """Return the admin of our own Grafana, or the login in the address of the user's, if any."""
    if decision.parts["grafana"].state == MANAGED:
        return "admin", secrets.read("user_admin_password")
    given = urlsplit(secrets.read(EXTERNAL_URL) if secrets.has(EXTERNAL_URL) else "")
    return (unquote(given.username), unquote(given.password or "")) if given.username else None


def call_completion(argv: list[str], commands: Mapping[str, tuple[str, list[str]]]) -> int:
    """Print a shell's completion; commands, with what they do and their options, are a part."""
    client = importlib.import_module(CLIENT)
    try:
        access = find_client(homes.locate(os.environ))
    except HomeError:
        access = {}  # words can be completed without a home, names cannot
    return int(client.complete_line(argv, commands, client.Place(os.environ, **access)))


def find_client(home: Home) -> dict[str, str]:
    """Return address and token of the home's control API, or why there are none."""
    if not homes.exists(home):
        return {"missing": f"there is no fleet in {home.root}; `./fleet up` makes one"}
    record = homes.load(home)
    if record.mode == homes.NODE:
        return {
            "url": f"{record.control_url}/api/v1",
            "missing": f"{home.root} is a node only; steer its fleet from the home that runs "
            f"{record.control_url or 'it'}, or log in to it here",
        }
    decision = stack.load(home)
    found = decision.parts["control-api"].url if decision else ""
    return {
        "url": found or stack.render_url("control-api", ports.load(home)["control-api"]),
        "token": Secrets(home.path("secrets")).read("admin_token"),
        "ca_file": decision.control_ca_file if decision else "",
        "server_name": decision.control_server_name if decision else "",
    }
