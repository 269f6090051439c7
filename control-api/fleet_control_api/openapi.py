"""
OpenAPI 3.1 from the application's own routes.

What the decorators declare, and each handler's docstring.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, cast

from fleet_timescale import __version__

from fleet_control_api.roles import Route, route_of

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.routing import Rule

    from fleet_control_api.arguments import Field
    from fleet_control_api.identity import Access

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What failed, with the value."},
        "instance": {"type": "string"},
        "remedy": {"type": "string", "description": "What to do about it."},
    },
}
SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The access token of POST /auth/login, or an API token.",
    },
    "grafana": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Grafana-Id",
        "description": "Signed by Grafana, sent with the proxy secret by its data source.",
    },
}


def render_document(app: Flask, public_url: str) -> dict[str, Any]:
    """Return the OpenAPI document of all routes."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        route = cast("Route", route_of(view))  # check_routes() saw that it has one
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            operation = render_operation(rule, route, view.__doc__ or "")
            paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Transcript Fleet control API",
            "version": __version__,
            "description": "Errors are application/problem+json.",
        },
        "servers": [{"url": public_url}],
        "paths": dict(sorted(paths.items())),
        "components": {"securitySchemes": SCHEMES, "schemas": {"Problem": PROBLEM}},
    }


def render_operation(rule: Rule, route: Route, doc: str) -> dict[str, Any]:
    """Return one operation."""
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in sorted(rule.arguments)
    ]
    parameters += [
        {"name": f.name, "in": "query", "required": f.is_required, "schema": f.schema()}
        for f in route.query
    ]
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_").replace("-", "_"),
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": " ".join(doc.split()),
        "description": f"Needs {describe(route.access)}.",
        "security": [] if route.access.is_public else [{_scheme(route.access): []}],
        "parameters": parameters,
        "responses": {
            "2XX": {"description": "Done.", "content": {route.media_type: {}}},
            "default": {
                "description": "Refused or failed.",
                "content": {"application/problem+json": problem},
            },
        },
    }
    if route.body:
        schema = render_schema(route.body)
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def render_schema(fields: tuple[Field, ...]) -> dict[str, Any]:
    """Return the JSON Schema of a body."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [f.name for f in fields if f.is_required],
        "properties": {f.name: f.schema() for f in fields},
    }


def describe(access: Access) -> str:
    """Say who may use a route."""
    if access.is_public:
        return "no login"
    words = [access.role.word] if access.role else []
    words += [f"token of scope {scope}" for scope in sorted(access.scopes)]
    return " or ".join(words) + (", through Grafana" if access.is_button else "")


def _scheme(access: Access) -> str:
    return "grafana" if access.is_button else "bearer"


def render_page(document: dict[str, Any]) -> str:
    """Return the document as a plain page: no scripts, nothing from elsewhere."""
    info = document["info"]
    title = escape(info["title"])
    rows = [
        _render_row(f"{method.upper()} {path}", operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{title}</title></head><body><h1>{title} {escape(info['version'])}</h1>",
            f"<p>{escape(info['description'])}",
            'The same for programs: <a href="openapi.json">openapi.json</a>.</p>',
            '<table border="1" cellpadding="4">',
            "<tr><th>Address</th><th>What</th><th>Who</th><th>Values</th></tr>",
            *rows,
            "</table></body></html>\n",
        ]
    )


def _render_row(address: str, operation: dict[str, Any]) -> str:
    cells = (operation["summary"], operation["description"], _list_fields(operation))
    shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f"<tr><td><code>{escape(address)}</code></td>{shown}</tr>"


def _list_fields(operation: dict[str, Any]) -> str:
    names = [p["name"] for p in operation["parameters"] if p["in"] == "query"]
    body = operation.get("requestBody")
    if body:
        names += list(body["content"]["application/json"]["schema"]["properties"])
    return ", ".join(names)
