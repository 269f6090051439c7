"""
Read the JSON body of a request within limits: size, depth, one value a name, an object at the top.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import RequestEntityTooLarge

from fleet_control_api.service.errors import (
    InvalidError,
    MalformedError,
    MediaTypeError,
    TooLargeError,
)
from fleet_control_api.values.arguments import Values, parse

if TYPE_CHECKING:
    from flask import Request

SIZE_MAX = 64 * 1024  # bytes; the largest honest body is well under one kilobyte
DEPTH_MAX = 16


def read_arguments(
    request: Request, model: type[Values], *, size_max: int = SIZE_MAX, **path: str
) -> Values:
    """
    Return the values of the body, of at most `size_max` bytes, and of the path.

    Raises what `read_body` raises, and InvalidError for unknown, missing and unusable values.
    """
    request.max_content_length = size_max
    body = read_body(request)
    for name in path.keys() & body.keys():
        raise InvalidError(f"unknown value {name!r}", remedy=f"{name} belongs in the path only.")
    return parse(model, {**body, **path})


def read_body(request: Request) -> dict[str, Any]:
    """
    Return the body as an object; no body at all is an empty one.

    Raises TooLargeError past the request's limit, MediaTypeError for another content type,
    MalformedError for what is no JSON object.
    """
    try:
        data = request.get_data()
    except RequestEntityTooLarge as exc:
        raise TooLargeError(f"the body is larger than {request.max_content_length} bytes") from exc
    if not data.strip():
        return {}
    if request.mimetype != "application/json":
        raise MediaTypeError(
            f"the content type of the body is {request.mimetype or 'missing'}",
            remedy="Send JSON with the header Content-Type: application/json.",
        )
    return parse_body(data)


def parse_body(data: bytes) -> dict[str, Any]:
    """Return the object that the bytes spell. Raises MalformedError."""
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise MalformedError("the body is not UTF-8") from exc
    if measure_depth(text) > DEPTH_MAX:
        raise MalformedError(f"the body is nested deeper than {DEPTH_MAX} levels")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError as exc:
        raise MalformedError(f"the body is not valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise MalformedError("the body must be a JSON object", remedy='For example {"count": 5}.')
    return value


def measure_depth(text: str) -> int:
    """
    Return how deep brackets are nested, outside of strings.

    Checked before parsing, since the parser recurses.
    """
    depth = deepest = 0
    is_string = is_escaped = False
    for character in text:
        if is_string:
            is_string = is_escaped or character != '"'
            is_escaped = character == "\\" and not is_escaped
        elif character == '"':
            is_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is given twice")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
