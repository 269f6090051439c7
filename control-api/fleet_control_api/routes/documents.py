"""The API described by itself: OpenAPI 3.1, and the same as one plain page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app

from fleet_control_api.context import services
from fleet_control_api.openapi import render_document, render_page
from fleet_control_api.roles import public

blueprint = Blueprint("documents", __name__)


@blueprint.get("/openapi.json")
@public()
def show_openapi() -> dict[str, Any]:
    """Describe every route as OpenAPI 3.1."""
    return render_document(current_app, services().settings.public_url)


@blueprint.get("/docs")
@public(media_type="text/html")
def show_docs() -> Response:
    """List every route on one page."""
    document = render_document(current_app, services().settings.public_url)
    return Response(render_page(document), content_type="text/html; charset=utf-8")
