"""
Runbooks.

What to do when an alert fires. Readable without a login, since mails link here and they hold no
data.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from fleet_control_api.permissions.roles import public
from fleet_control_api.service.context import services
from fleet_control_api.service.errors import NotFoundError
from fleet_control_api.values.documents import Alert

if TYPE_CHECKING:
    from pathlib import Path

blueprint = Blueprint("runbooks", __name__, url_prefix="/runbooks")

NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,60}")  # alert names; nothing that could leave the folder


@blueprint.get("/<alert>")
@public("text/plain", path=Alert)
def show_runbook(alert: str) -> Response:
    """Show the runbook of an alert."""
    path = services().settings.runbooks / f"{alert}.md"
    if not NAME.fullmatch(alert) or not path.is_file():
        listed = ", ".join(list_alerts(services().settings.runbooks)) or "none"
        raise NotFoundError(f"there is no runbook {alert}", remedy=f"Known: {listed}.")
    return Response(path.read_text(), content_type="text/plain; charset=utf-8")


def list_alerts(runbooks: Path) -> list[str]:
    """Return the names of the alerts that have a runbook."""
    return sorted(file.stem for file in runbooks.glob("*.md"))
