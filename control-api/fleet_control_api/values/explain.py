"""What pydantic found wrong with a request, as sentences of ours: the value, and the remedy."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from fleet_control_api.service.errors import InvalidError
from fleet_control_api.values.fields import ASCII_LINE, INTEGER_MAX, LINE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from fleet_control_api.values.fields import Request

FAULTS_MAX = 5  # told in one answer
SHOWN_MAX = 60  # characters of a value
KEY = "[key]"  # the last step of a place that is a name in an object


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
    place, kind, value = fault["loc"], fault["type"], fault["input"]
    name = name_place(place)
    if kind == "extra_forbidden":
        listed = ", ".join(sorted(find_schema(model, place[:-1]).get("properties", ()))) or "none"
        return f"unknown value {shorten(name)}", f"Known here: {listed}."
    field = find_schema(model, place)
    remedy = field.get("description", "")
    if kind == "missing":
        return f"{name} is missing", remedy
    if kind == "value_error" and len(place) > 1:  # in the words of the check itself
        return f"{name} cannot be used: {fault['ctx']['error']}", remedy
    shown = "what was sent" if field.get("format") == "password" else shorten(value)
    if "const" in field:
        return f"{name} must be {field['const']!r}, not {shown}", remedy
    if "enum" in field:
        return f"{name} must not be {shown}", f"Known: {', '.join(field['enum'])}."
    return f"{name} {_expect(kind, field, value)}".replace("{}", shown), remedy


def name_place(steps: Sequence[int | str]) -> str:
    """Return where a value stands, such as orders[3].count."""
    if steps[-1] == KEY:
        return f"a name in {name_place(steps[:-2])}"
    texts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return "".join(texts).removeprefix(".")


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
    names = {
        "integer": "a whole number", "number": "a number", "boolean": "true or false",
        "object": "an object", "array": "a list",
    }  # fmt: skip
    return names.get(field.get("type", ""), "a text that is not empty")


def _bounds(kind: str, field: dict[str, Any]) -> str:
    low, high = field["minimum"], field["maximum"]
    if high < INTEGER_MAX:
        return f"between {low} and {high}"
    return f"at least {low}" if kind == "greater_than_equal" else f"at most {high}"


def find_schema(model: type[Request], steps: Sequence[int | str]) -> dict[str, Any]:
    """Return the JSON Schema of the value there, by the names that callers send, without null."""
    if steps and steps[-1] == KEY:
        steps = [*steps[:-2], KEY]
    schema = document = describe(model)
    for step in steps:
        among = schema.get("properties", {})
        inside = "items" if isinstance(step, int) else "additionalProperties"
        inside = "propertyNames" if step == KEY else inside
        schema = flatten(among.get(step) or schema.get(inside) or {}, document.get("$defs", {}))
    return schema


@cache
def describe(model: type[Request]) -> dict[str, Any]:
    """Return the JSON Schema of a model."""
    return model.model_json_schema()


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
