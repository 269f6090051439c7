"""A Grafana beside what it should have: compared as a whole, and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_timescale import __version__

from fleet_dashboards.push import drift, instance
from fleet_dashboards.push.server import GrafanaError
from fleet_dashboards.push.wanted import load_dashboards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_dashboards.datasources import Json
    from fleet_dashboards.push.drift import Finding
    from fleet_dashboards.push.server import Server


@dataclass(frozen=True)
class Comparison:
    """Everything of ours in one Grafana, beside what should be there."""

    version: str
    findings: tuple[Finding, ...]
    folder: Json | None = field(repr=False)
    sources: tuple[tuple[Json, Json | None], ...] = field(repr=False)  # wanted, found
    dashboards: tuple[tuple[Json, Json | None], ...] = field(repr=False)

    @property
    def locked(self) -> set[str]:
        """What is provisioned from files there, and no API changes."""
        return {each.name for each in self.findings if each.is_locked}

    @property
    def drifted(self) -> list[Finding]:
        """What differs."""
        return [each for each in self.findings if each.state != drift.SAME]

    @property
    def changed_there(self) -> list[Finding]:
        """What somebody else may have changed, and `push` would overwrite."""
        return [
            each
            for each in self.drifted
            if not each.is_locked
            and (each.state == drift.EDITED or (each.kind, each.state) == ("source", drift.DIFFERS))
        ]


def compare(server: Server, sources: Sequence[Json], root_url: str) -> Comparison:
    """Ask Grafana for everything of ours. Raises GrafanaError, also for an unusable version."""
    version = server.read_version()
    refused = instance.refuse_version(version)
    if refused:
        raise GrafanaError(f"{server.url}: {refused}")
    folder = server.find_folder()
    seen = tuple((each, server.find_source(each["uid"])) for each in sources)
    boards = tuple((each, server.find_dashboard(each["uid"])) for each in load_dashboards())
    findings = (
        drift.judge_folder(folder),
        *(drift.judge_source(*each) for each in seen),
        *(drift.judge_dashboard(*each) for each in boards),
        *instance.judge_settings(server.read_settings(), root_url),
    )
    return Comparison(version, findings, folder, seen, boards)


def write(server: Server, compared: Comparison) -> list[str]:
    """Write what differs, and say what was written. Raises GrafanaError."""
    if compared.folder is None:
        server.make_folder()
    written = []
    for source, found in compared.sources:
        if source["uid"] not in compared.locked:
            # Also one that looks right: its secrets may have changed, and cannot be read.
            server.save_source(source, found)
            written.append(source["uid"])
    drifted = {each.name for each in compared.drifted} - compared.locked
    for dashboard, found in compared.dashboards:
        if dashboard["uid"] in drifted:
            server.save_dashboard(drift.mark(dashboard, found), f"fleet {__version__}")
            written.append(dashboard["uid"])
    return written
