"""Checksums of the checkout: `up` restarts the programs that a new version of it changes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from fleet_stack.home import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CONTRACT = "timescale/fleet_timescale"  # all of ours import it
PACKAGES = "requirements.txt"
# What each program has loaded, or reads only at its start. Grafana looks for new dashboards itself.
LOADED = {
    "llm": ("orchestrator/fleet_stack/servers/llm.py", "requirements-llm.txt"),
    "mail": ("orchestrator/fleet_stack/servers/mail.py", PACKAGES),
    "exporter": ("exporters/fleet_exporters", CONTRACT, PACKAGES),
    "node": ("orchestrator/fleet_orchestrator", CONTRACT, PACKAGES),
    "twin": ("exporters", "orchestrator/fleet_orchestrator", CONTRACT, PACKAGES),
    "master": ("orchestrator/fleet_orchestrator", CONTRACT, PACKAGES),
    "control-api": ("control-api/fleet_control_api", CONTRACT, PACKAGES),
    "sms-bridge": ("alertmanager/fleet_sms", CONTRACT, PACKAGES),
    "prometheus": ("prometheus/rules",),
    "alertmanager": ("alertmanager/templates",),
}
ALL = (
    "alertmanager", "control-api", "exporters", "grafana", "orchestrator", "prometheus",
    "timescale", PACKAGES, "requirements-llm.txt",
)  # fmt: skip
SUFFIXES = frozenset({".j2", ".json", ".py", ".sql", ".tmpl", ".txt", ".yml"})
LENGTH = 16


def digest(places: Sequence[str], checkout: Path = CHECKOUT) -> str:
    """Return a checksum of the names and contents of the files in these places."""
    found = hashlib.sha256()
    for place in places:
        for path in _files(checkout / place):
            content = path.read_bytes()
            found.update(f"{path.relative_to(checkout)} {len(content)}\n".encode())
            found.update(content)
    return found.hexdigest()[:LENGTH]


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    yield from sorted(path for path in place.rglob("*") if path.suffix in SUFFIXES)


def digest_programs(checkout: Path = CHECKOUT) -> dict[str, str]:
    """Return, by program, a checksum of what it has loaded from the checkout."""
    return {name: digest(places, checkout) for name, places in LOADED.items()}
