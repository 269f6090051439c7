"""
`fleet grafana check|push`: how a Grafana of the user's own differs, and make it not differ.

`check` changes nothing and returns 1 where something differs. `push` asks before it overwrites what
somebody else changed there.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from fleet_dashboards.push import drift, options
from fleet_dashboards.push.comparison import compare, write
from fleet_dashboards.push.server import GrafanaError, Server
from fleet_dashboards.push.wanted import make_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_dashboards.push.comparison import Comparison
    from fleet_dashboards.push.drift import Finding
    from fleet_dashboards.push.wanted import Addresses, Secrets

STATES = {drift.SAME: "as it should be", drift.EDITED: "edited there"}


def main(  # noqa: PLR0913 - what the launcher knows of a home
    argv: Sequence[str],
    addresses: Addresses,
    secrets: Secrets,
    *,
    url: str = "",
    root_url: str = "",
    credential: tuple[str, str] | None = None,
) -> int:
    """
    Run the command; `url` and `credential` are of the home's own Grafana, if it has one.

    `root_url` is the address by which the home's control API knows Grafana. Raises GrafanaError.
    """
    arguments = options.make_parser().parse_args(argv)
    asked = (arguments.url or url).rstrip("/")
    if not asked:
        raise GrafanaError("this home has no Grafana; --url names the one to use")
    addresses = options.choose_addresses(addresses, arguments)
    options.require_reachable(asked, addresses)
    of_home = credential if asked == url.rstrip("/") else None
    chosen = options.choose_credential(arguments, of_home)
    with closing(Server.at(asked, chosen, arguments.ca_file or "")) as server:
        compared = compare(server, make_sources(addresses, secrets), root_url or asked)
        is_json = arguments.verb == "check" and arguments.json
        sys.stdout.write(render_json(compared) if is_json else render(asked, compared))
        if arguments.verb == "check":
            return 1 if compared.drifted else 0
        if compared.changed_there and not arguments.yes and not agree(compared.changed_there):
            raise GrafanaError("nothing was changed")
        sys.stdout.write(render_written(write(server, compared), compared))
    return 0


def agree(asked: Sequence[Finding]) -> bool:
    """Ask a person whether to overwrite. Raises GrafanaError when there is none."""
    names = ", ".join(each.name for each in asked)
    if not sys.stdin.isatty():
        raise GrafanaError(f"{names} would be overwritten; --yes agrees to it")
    sys.stdout.write(f"Overwrite {names}? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def render(url: str, compared: Comparison) -> str:
    """Return a line for each thing."""
    lines = [f"Grafana {compared.version} at {url}"]
    for each in compared.findings:
        said = f"  {each.kind:<10} {each.name:<24} {STATES.get(each.state, each.state)}"
        lines.append(f"{said}: {each.detail}" if each.detail else said)
    return "\n".join(lines) + "\n"


def render_json(compared: Comparison) -> str:
    """Return the same for programs."""
    rows = [asdict(each) for each in compared.findings]
    return json.dumps({"version": compared.version, "found": rows}, indent=2) + "\n"


def render_written(written: Sequence[str], compared: Comparison) -> str:
    """Return what was written, what was not, and what is left to do."""
    lines = [f"Written: {', '.join(written) or 'nothing'}."]
    left = sorted({each.name for each in compared.drifted} & compared.locked)
    if left:
        lines.append(f"Provisioned from files there, so left alone: {', '.join(left)}.")
    lines += [
        f"Buttons do not work until the setting {each.name} is right."
        for each in compared.drifted
        if each.kind == "setting"
    ]
    return "\n".join(lines) + "\n"
