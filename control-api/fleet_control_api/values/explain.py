"""What pydantic found wrong with a request, as sentences of ours: the value, and the remedy."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from fleet_control_api.service.errors import InvalidError
from fleet_control_api.values.fields import ASCII_LINE, INTEGER_MAX, LINE

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from fleet_control_api.values.fields import Request

FAULTS_MAX = 5  # told in one answer
SHOWN_MAX = 60  # characters of a value


def explain(error: ValidationError, model: type[Request]) -> InvalidError:
    """Return the error that names every fault, each in one sentence, and the remedies."""
    faults = [_explain_fault(fault, model) for fault in error.errors(include_url=False)]
    sentences = [sentence for sentence, _ in faults[:FAULTS_MAX]]
    if len(faults) > FAULTS_MAX:
        sentences.append(f"{len(faults) - FAULTS_MAX} more values cannot be used")
    remedies = dict.fromkeys(remedy for _, remedy in faults[:FAULTS_MAX] if remedy)
    return InvalidError("; ".join(sentences), remedy=" ".join(remedies))


def shorten(value: Any) -> str:
    """Return the value on one short line, as people recognise it."""
    shown = "null" if value is None else repr(value)
    return shown if len(shown) <= SHOWN_MAX else f"{shown[: SHOWN_MAX - 3]}..."


def _explain_fault(fault: ErrorDetails, model: type[Request]) -> tuple[str, str]:
    """Return the sentence and the remedy of one fault."""
    name, kind, value = ".".join(map(str, fault["loc"])), fault["type"], fault["input"]
    if len(fault["loc"]) > 1:
        # Inside of a value that has values: what programs send, and people seldom.
        return f"{shorten(name)} cannot be used: {fault['msg']}", ""
    fields = describe_fields(model)
    if kind == "extra_forbidden":
        listed = ", ".join(sorted(fields)) or "none"
        return f"unknown value {shorten(name)}", f"Known here: {listed}."
    field = fields[name]
    remedy = field.get("description", "")
    if kind == "missing":
        return f"{name} is missing", remedy
    shown = "what was sent" if field.get("format") == "password" else shorten(value)
    if "const" in field:
        return f"{name} must be {field['const']!r}, not {shown}", remedy
    if "enum" in field:
        return f"{name} must not be {shown}", f"Known: {', '.join(field['enum'])}."
    return f"{name} {_expect(kind, field, value)}".replace("{}", shown), remedy


def _expect(kind: str, field: dict[str, Any], value: Any) -> str:
    """Return what the value must be; {} stands for the value."""
    if kind in {"greater_than_equal", "less_than_equal"}:
        return f"must be {_bounds(kind, field)}, not {{}}"
    if kind in {"too_long", "too_short"} and field.get("type") in {"array", "object"}:
        return f"must have {field.get('minItems', 0)} to {field.get('maxItems', 'many')} entries"
    if kind in {"string_too_long", "too_long"}:
        return f"has {len(value)} characters; {field['maxLength']} are allowed"
    if kind in {"string_too_short", "too_short"} and field["minLength"] > 1:
        return f"needs at least {field['minLength']} characters"
    is_blank = not isinstance(value, str) or not value.strip()
    if kind in {"string_pattern_mismatch", "string_unicode"} and not is_blank:
        is_line = field.get("pattern", LINE) in {LINE, ASCII_LINE}
        return "must be one line of printable characters" if is_line else "must not be {}"
    return f"must be {_name_type(field)}, not {{}}"


def _name_type(field: dict[str, Any]) -> str:
    """Return what kind of value a field takes, for people."""
    if field.get("format") == "uuid":
        return "a UUID"
    names = {"integer": "a whole number", "boolean": "true or false", "array": "a list"}
    return names.get(field.get("type", ""), "a text that is not empty")


def _bounds(kind: str, field: dict[str, Any]) -> str:
    low, high = field["minimum"], field["maximum"]
    if high < INTEGER_MAX:
        return f"between {low} and {high}"
    return f"at least {low}" if kind == "greater_than_equal" else f"at most {high}"


@cache
def describe_fields(model: type[Request]) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each field, by the name that callers send, without null."""
    document = model.model_json_schema()
    named = document.get("$defs", {})
    return {name: flatten(field, named) for name, field in document.get("properties", {}).items()}


def flatten(field: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field, the referenced one included and null left out."""
    flat = drop_null(field)
    reference = flat.pop("$ref", None)
    if reference is None:
        return flat
    return {**flatten(named[reference.rpartition("/")[2]], named), **flat}


def drop_null(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field that may be null, as if it may not."""
    schema = {key: value for key, value in field.items() if key != "anyOf"}
    for option in field.get("anyOf", ()):
        if option.get("type") != "null":
            schema = {**option, **schema}
    return schema
