"""The OpenAPI document as one plain page: no scripts, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

from fleet_control_api.values.explain import flatten


def render_page(document: dict[str, Any], style: str) -> str:
    """Return the page."""
    info = document["info"]
    title = escape(info["title"])
    rows = [
        _render_row(f"{method.upper()} {path}", operation, document["components"]["schemas"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<style>{style}</style>",
            f"<title>{title}</title></head><body><h1>{title} {escape(info['version'])}</h1>",
            f"<p>{escape(info['description'])}",
            'The same for programs: <a href="openapi.json">openapi.json</a>.',
            '<a href="/">How the fleet stands.</a></p>',
            '<section class="wide"><table>',
            "<tr><th>Address</th><th>What</th><th>Who</th><th>Values</th></tr>",
            *rows,
            "</table></section></body></html>\n",
        ]
    )


def _render_row(address: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    cells = "".join(
        f"<td>{escape(cell)}</td>" for cell in (operation["summary"], operation["description"])
    )
    values = "<br>".join(escape(line) for line in _list_values(operation, schemas))
    return f"<tr><td><code>{escape(address)}</code></td>{cells}<td>{values}</td></tr>"


def _list_values(operation: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    """Return a line for each value that the caller may send."""
    lines = [
        _describe(parameter["name"], parameter["schema"], parameter["required"], schemas)
        for parameter in operation["parameters"]
    ]
    body = operation.get("requestBody")
    if body:
        schema = flatten(body["content"]["application/json"]["schema"], schemas)
        lines += [
            _describe(name, field, name in schema.get("required", ()), schemas)
            for name, field in schema["properties"].items()
        ]
    return lines


def _describe(name: str, field: dict[str, Any], is_required: bool, schemas: dict[str, Any]) -> str:
    flat = flatten(field, schemas)
    words = [] if is_required else ["optional"]
    if "enum" in flat:
        words.append(" | ".join(flat["enum"]))
    elif flat["type"] == "integer":
        words.append(f"{flat['minimum']} to {flat['maximum']}")
    if flat.get("default") is not None:
        words.append(f"{flat['default']} by default")
    return f"{name} ({', '.join(words)})" if words else name
