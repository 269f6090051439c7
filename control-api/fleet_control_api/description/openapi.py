"""
OpenAPI 3.1 from the application's own routes.

It is made of what the decorators declare, of the pydantic models and of each handler's docstring.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from fleet_timescale import __version__
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from fleet_control_api.permissions.roles import Route, route_of
from fleet_control_api.service import errors
from fleet_control_api.values.documents import Problem
from fleet_control_api.values.explain import drop_null

if TYPE_CHECKING:
    from flask import Flask
    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode
    from werkzeug.routing import Rule

    from fleet_control_api.callers.identity import Access
    from fleet_control_api.service.errors import ApiError

Json = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"
PROBLEM = {"schema": {"$ref": REFERENCE.format(model="Problem")}}
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
        "description": "Who pressed the button, signed by Grafana.",
    },
    "grafana_proxy": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Fleet-Proxy-Secret",
        "description": "Sent by Grafana's data source fleet-control only.",
    },
}
HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
}


@dataclass(frozen=True)
class Known:
    """What only the running program knows; None while the database does not answer."""

    alerts: tuple[str, ...]  # with a runbook
    scenarios: tuple[str, ...] | None = None
    count_max: int | None = None  # conversations of a job
    keys: tuple[str, ...] | None = None  # of settings
    scopes: tuple[str, ...] | None = None


class Schemas(GenerateJsonSchema):
    """pydantic's JSON Schema without the titles, which repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's own
        """False."""
        return False


def render_document(app: Flask, public_url: str, known: Known) -> Json:
    """Return the OpenAPI document of all routes but the pages for people."""
    every = [
        # check_routes() saw that each has one.
        (rule, cast("Route", route_of(app.view_functions[rule.endpoint])))
        for rule in app.url_map.iter_rules()
    ]
    routes = [(rule, route) for rule, route in every if not route.is_page]
    schemas = render_schemas([route for _, route in routes])
    paths: dict[str, Json] = {}
    for rule, route in routes:
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        doc = app.view_functions[rule.endpoint].__doc__ or ""
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            operation = render_operation(rule, route, doc, schemas)
            paths.setdefault(path, {})[method.lower()] = operation
    add_known(schemas, known)
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "Transcript Fleet control API",
            "version": __version__,
            "description": "Errors are application/problem+json.",
        },
        "servers": [{"url": public_url}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": SCHEMES,
            "schemas": schemas,
            "responses": {
                error.__name__: render_error(error)
                for _, route in routes
                for error in find_errors(route)
            },
        },
    }
    drop_unused(document)
    return document


def drop_unused(document: Json) -> None:
    """Drop the schemas that nothing refers to: those whose fields became parameters."""
    text, schemas = json.dumps(document), document["components"]["schemas"]
    for name in list(schemas):
        if f'"{REFERENCE.format(model=name)}"' not in text:
            del schemas[name]


def render_schemas(routes: list[Route]) -> Json:
    """Return the JSON Schema of each model that a route takes or answers, by its name."""
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "validation"): None}
    for route in routes:
        for model in (route.path, route.query, route.headers, route.body):
            if model:
                models[model, "validation"] = None
        if not isinstance(route.answer, str):
            models[route.answer, "validation"] = None
    _, document = models_json_schema(list(models), ref_template=REFERENCE, schema_generator=Schemas)
    return cast("Json", document["$defs"])


def add_known(schemas: Json, known: Known) -> None:
    """Add the values that there are."""
    schemas["AlertName"]["enum"] = list(known.alerts)
    if known.scenarios is not None:
        schemas["Scenario"]["enum"] = list(known.scenarios)
        schemas["ScenarioOrMixed"]["enum"] = ["mixed", *known.scenarios]
        one, weights = schemas["ScenarioOrWeights"]["anyOf"]
        one["enum"] = ["mixed", *known.scenarios]
        weights["properties"] = dict.fromkeys(known.scenarios, weights["additionalProperties"])
        weights["additionalProperties"] = False
    for name, values in (("SettingKey", known.keys), ("SettingScope", known.scopes)):
        if values is not None:
            schemas[name]["enum"] = list(values)
    if known.count_max is not None:
        schemas["ConversationCount"]["maximum"] = known.count_max


def render_operation(rule: Rule, route: Route, doc: str, schemas: Json) -> Json:
    """Return one operation."""
    operation: Json = {
        "operationId": rule.endpoint.replace(".", "_").replace("-", "_"),
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": " ".join(doc.split()),
        "description": f"Needs {describe(route.access)}.",
        "security": [] if route.access.is_public else [_security(route.access)],
        "parameters": [
            parameter
            for place, model in (
                ("path", route.path), ("query", route.query), ("header", route.headers),
            )
            if model
            for parameter in render_parameters(place, model, schemas)
        ],
        "responses": {
            str(route.status): _render_success(route),
            **{
                str(error.status): {"$ref": f"#/components/responses/{error.__name__}"}
                for error in find_errors(route)
            },
        },
    }  # fmt: skip
    body = render_body(route, schemas)
    if body:
        operation["requestBody"] = body
    return operation


def render_parameters(place: str, model: type[BaseModel], schemas: Json) -> list[Json]:
    """Return the fields of a model as parameters; null cannot be sent there."""
    schema = schemas[model.__name__]
    return [
        {
            "name": name,
            "in": place,
            "required": name in schema.get("required", ()),
            "description": field.get("description", ""),
            "schema": _as_parameter(field),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _as_parameter(field: Json) -> Json:
    schema = drop_null(field)
    schema.pop("description", None)  # it is the parameter's
    if schema.get("default", ...) is None:
        del schema["default"]
    return schema


def render_body(route: Route, schemas: Json) -> Json | None:
    """Return the request body: the model without what the path names; None when nothing is left."""
    if route.body is None:
        return None
    schema = schemas[route.body.__name__]
    in_path = route.path.model_fields if route.path else {}
    left = {n: f for n, f in schema.get("properties", {}).items() if n not in in_path}
    if not left:
        return None
    required = [name for name in schema.get("required", ()) if name not in in_path]
    body: Json = {"$ref": REFERENCE.format(model=route.body.__name__)}
    if in_path:
        body = {**schema, "properties": left, "required": required}
    return {"required": bool(required), "content": {"application/json": {"schema": body}}}


def _render_success(route: Route) -> Json:
    if isinstance(route.answer, str):
        return {"description": "Done.", "content": {route.answer: {}}}
    reference = {"$ref": REFERENCE.format(model=route.answer.__name__)}
    done: Json = {
        "description": "Done.",
        "content": {"application/json": {"schema": reference}},
    }
    if route.status in {201, 202}:
        done["headers"] = {"Location": {"required": True, "schema": {"type": "string"}}}
    return done


def render_error(error: type[ApiError]) -> Json:
    """Return the answer of an error."""
    answer: Json = {
        "description": (error.__doc__ or "").strip(),
        "content": {"application/problem+json": PROBLEM},
    }
    if error.status in HEADERS:
        answer["headers"] = HEADERS[error.status]
    return answer


def find_errors(route: Route) -> list[type[ApiError]]:
    """Return the errors that a route may answer with, by what it takes, in the order of status."""
    access = route.access
    found: set[type[ApiError]] = {errors.ApiError, *route.errors}
    if not access.is_public:
        found |= {errors.RefusedError, errors.UnavailableError}
    if not (access.is_public or access.is_button):
        found.add(errors.UnauthenticatedError)
    if access.action:
        found.add(errors.TooManyError)
    if route.body:
        found |= {errors.MalformedError, errors.TooLargeError, errors.MediaTypeError}
    if route.body or route.query or route.path or route.headers:
        found.add(errors.InvalidError)
    if route.path:
        found.add(errors.NotFoundError)
    return sorted(found, key=lambda error: error.status)


def describe(access: Access) -> str:
    """Say who may use a route."""
    if access.is_public:
        return "no login"
    words = [access.role.word] if access.role else []
    words += [f"token of scope {scope}" for scope in sorted(access.scopes)]
    return " or ".join(words) + (", through Grafana" if access.is_button else "")


def _security(access: Access) -> Json:
    return {"grafana": [], "grafana_proxy": []} if access.is_button else {"bearer": []}
