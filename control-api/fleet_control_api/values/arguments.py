"""Parse what callers send into models: JSON bodies, query strings, headers, paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from fleet_control_api.service.errors import InvalidError
from fleet_control_api.values.explain import explain
from fleet_control_api.values.fields import FROM_QUERY, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import flask
    from werkzeug.datastructures import Headers

Values = TypeVar("Values", bound=Request)


def parse(model: type[Values], raw: Mapping[str, Any], *, context: str = "") -> Values:
    """Return the values. Raises InvalidError for unknown, missing and unusable ones."""
    try:
        return model.model_validate(raw, context=context)
    except ValidationError as exc:
        raise explain(exc, model) from None  # pydantic's text repeats values, secrets too


def parse_query(model: type[Values], pairs: Iterable[tuple[str, str]]) -> Values:
    """Return the values of a query string. Raises InvalidError, also for a name sent twice."""
    raw: dict[str, str] = {}
    for name, value in pairs:
        if name in raw:
            raise InvalidError(f"{name} is given twice", remedy=f"Send one value for {name}.")
        raw[name] = value
    return parse(model, raw, context=FROM_QUERY)


def read_query(request: flask.Request, model: type[Values]) -> Values:
    """Return the values of a request's query string. Raises what `parse_query` raises."""
    return parse_query(model, request.args.items(multi=True))


def parse_button(model: type[Values], pairs: Iterable[tuple[str, str]]) -> Values:
    """
    Return the values of a Grafana button's query string.

    A prompt that nobody filled in arrives as the literal `$name`, a cleared one as an empty text:
    both are refused.
    """
    sent = list(pairs)
    for name, value in sent:
        if not value.strip() or value.startswith("$"):
            raise InvalidError(f"{name} was left as {value!r}", remedy=f"Type a value for {name}.")
    return parse_query(model, sent)


def parse_headers(model: type[Values], headers: Headers) -> Values:
    """Return the values of those headers that the model names."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return parse(model, {name: headers[name] for name in names if name in headers})
