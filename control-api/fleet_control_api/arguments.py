"""
Values that callers send.

Declared once as Fields, parsed from JSON or from a query string, shown in the OpenAPI document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from fleet_control_api.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INTEGER_MAX = 2**31 - 1  # PostgreSQL's integer
TEXT_MAX = 500  # characters; a reason is a sentence, not a document
_INTEGER = re.compile(r"[+-]?[0-9]{1,12}")


class Kind(Enum):
    """The type of a value."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - a kind of text: the one that no message repeats
    INTEGER = "integer"
    UUID = "uuid"


@dataclass(frozen=True)
class Field:
    """One value a caller may send; `is_required` ones they must send."""

    name: str
    kind: Kind
    description: str
    is_required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        json_type = "integer" if self.kind is Kind.INTEGER else "string"
        schema: dict[str, Any] = {"type": json_type, "description": self.description}
        if self.kind is Kind.UUID:
            schema["format"] = "uuid"
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.default is not None:
            schema["default"] = self.default
        return schema


def parse(
    fields: Sequence[Field], raw: Mapping[str, Any], *, is_query: bool = False
) -> dict[str, Any]:
    """
    Return every field's value, the default where nothing was sent.

    In a query string numbers are text. Raises InvalidError for unknown, missing and unusable
    values.
    """
    known = {field.name for field in fields}
    for name in raw:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise InvalidError(f"unknown value {name!r}", remedy=f"Known here: {listed}.")
    values = {}
    for field in fields:
        if raw.get(field.name) is not None:
            values[field.name] = _parse_value(field, raw[field.name], is_query=is_query)
        elif field.is_required:
            raise InvalidError(f"{field.name} is missing", remedy=field.description)
        else:
            values[field.name] = field.default
    return values


def parse_button(fields: Sequence[Field], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """
    Return the values of a Grafana button's query string.

    An untouched prompt arrives as the literal `$name` and a cleared one as an empty text: both
    are refused, and so is a name that is sent twice.
    """
    raw: dict[str, str] = {}
    for name, value in pairs:
        if not value.strip() or value.startswith("$"):
            raise InvalidError(f"{name} was left as {value!r}", remedy=f"Type a value for {name}.")
        if name in raw:
            raise InvalidError(f"{name} is given twice", remedy=f"Send one value for {name}.")
        raw[name] = value
    return parse(fields, raw, is_query=True)


def _parse_value(field: Field, value: Any, *, is_query: bool) -> Any:
    if field.kind is Kind.INTEGER:
        return _parse_integer(field, value, is_query=is_query)
    if field.kind is Kind.UUID:
        return _parse_uuid(field, value)
    return _parse_text(field, value)


def _parse_integer(field: Field, value: Any, *, is_query: bool) -> int:
    if is_query and isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidError(f"{field.name} must be a whole number, not {shorten(value)}")
    if abs(value) > INTEGER_MAX:
        raise InvalidError(f"{field.name} must be between -{INTEGER_MAX} and {INTEGER_MAX}")
    return value


def _parse_uuid(field: Field, value: Any) -> UUID:
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError) as exc:
        raise InvalidError(f"{field.name} must be a UUID, not {shorten(value)}") from exc


def _parse_text(field: Field, value: Any) -> str:
    shown = "what was sent" if field.kind is Kind.SECRET else shorten(value)
    if not isinstance(value, str) or not value.strip():
        raise InvalidError(f"{field.name} must be a text that is not empty, not {shown}")
    if len(value) > TEXT_MAX:
        raise InvalidError(f"{field.name} has {len(value)} characters; {TEXT_MAX} are allowed")
    if not value.isprintable():
        # Control characters, lone surrogates: PostgreSQL refuses some, log readers stumble on all.
        raise InvalidError(f"{field.name} must be one line of printable characters")
    if field.choices and value not in field.choices:
        raise InvalidError(
            f"{field.name} must not be {shown}", remedy=f"Known: {', '.join(field.choices)}."
        )
    return value if field.kind is Kind.SECRET else value.strip()


def shorten(value: Any) -> str:
    """Return the value as people recognise it, on one short line."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
