"""Whether a Grafana can show the dashboards at all: its version, and settings of its own file."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from fleet_dashboards.datasources import CONTROL_PROXY
from fleet_dashboards.push.drift import DIFFERS, SAME, Finding

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

OLDEST = (12, 3, 0)
BROKEN = {(13, 2, 0), (13, 2, 1)}
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
ACTIONS = f"{CONTROL_PROXY}/**"
A_BUTTON = f"{CONTROL_PROXY}/fleet-pause"


def refuse_version(version: str) -> str:
    """Return why a version cannot be used; empty when it can."""
    match = VERSION.match(version)
    if match is None:
        return f"it does not say its version ({version!r}); is it a Grafana?"
    number = tuple(map(int, match.groups()))
    if number < OLDEST:
        return (
            f"Grafana {version} is older than 12.3, where buttons of tables, switch variables and "
            "the identity that buttons are checked by do not work; update it"
        )
    if number in BROKEN:
        return (
            f"Grafana {version} has PostgreSQL and Prometheus sources that break without the "
            "vendor's server; use 13.2.2 or newer, or 12.4"
        )
    return ""


def judge_settings(settings: Json | None, root_url: str) -> list[Finding]:
    """
    Return how the two settings stand that buttons need; None: this login may not read them.

    `root_url` is the address that the control API knows Grafana by.
    """
    wanted = {
        ("security", "actions_allow_post_url"): ACTIONS,
        ("server", "root_url"): f"{root_url.rstrip('/')}/",
    }
    found = []
    for (section, name), value in wanted.items():
        line = f"grafana.ini must have, below [{section}]: {name} = {value}"
        if settings is None:
            found.append(Finding("setting", name, SAME, f"not readable by this login; {line}"))
            continue
        there = str(settings.get(section, {}).get(name, ""))
        fits = is_allowed(there) if name != "root_url" else there.rstrip("/") == value.rstrip("/")
        said = "" if fits else f"is {there or 'empty'}; {line}"
        found.append(Finding("setting", name, SAME if fits else DIFFERS, said))
    return found


def is_allowed(patterns: str) -> bool:
    """True when buttons may post to the control API."""
    return any(fnmatchcase(A_BUTTON, each) for each in re.split(r"[\s,]+", patterns))
