"""Settings as they are read, changed, compared and rolled back."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from typing_extensions import TypeAliasType

from fleet_control_api.service.errors import InvalidError
from fleet_control_api.values.fields import WHOLE, Answer, Request, Text
from fleet_control_api.values.paging import Listing, Page

VALUE_MAX = 200  # characters of a text
TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE
)


def parse_value(value: Any) -> Any:
    """Return a number, a text, or None. Raises InvalidError; which of them fits says the key."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_text = isinstance(value, str) and len(value) <= VALUE_MAX and value.isprintable()
    if value is None or is_text or (is_number and math.isfinite(value)):
        return value
    raise InvalidError(
        "value must be a number, a text, or null", remedy="GET /config says what each key takes."
    )


def parse_time(value: Any) -> Any:
    """Return the text of an instant. Raises InvalidError."""
    if isinstance(value, str) and TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError:
            pass
    raise InvalidError(f"{value!r} is no time", remedy="Write it like 2026-11-27T12:00:00Z.")


# Keys and scopes are known only when the program runs: see the OpenAPI document.
SettingKey = TypeAliasType("SettingKey", Text)
SettingScope = TypeAliasType("SettingScope", Text)
Value = Annotated[
    Any,
    BeforeValidator(parse_value),
    WithJsonSchema({"type": ["number", "string", "null"], "maxLength": VALUE_MAX}),
]
Version = Annotated[int, Field(strict=True, ge=0, le=2**53), WHOLE]
Moment = Annotated[
    datetime,
    BeforeValidator(parse_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class ConfigFilter(Request):
    """For what to show the settings in force."""

    scope: SettingScope = Field(
        "fleet", description="fleet, role:generate, role:quality, or node:NAME."
    )


class ConfigKey(Request):
    """Which setting."""

    key: SettingKey = Field(description="The key of the setting.")


class ConfigChange(ConfigKey):
    """A new value."""

    value: Value = Field(
        description="The new value; null gives the scope back to the next wider one."
    )
    scope: SettingScope = Field("fleet", description="For whom: fleet, role:NAME or node:NAME.")
    reason: Text | None = Field(None, description="Why, for history and audit log.")
    version: Version | None = Field(
        None,
        description="The version of the value that this one replaces, 0 for none: another one by "
        "now is a conflict.",
    )


class ConfigRollback(ConfigKey):
    """A value to go back to."""

    scope: SettingScope = Field("fleet", description="For whom: fleet, role:NAME or node:NAME.")
    to: Version | None = Field(
        None,
        description="The version whose value is to hold again, 0 for the time before the first; "
        "left out, the one before the present.",
    )
    reason: Text | None = Field(None, description="Why, for history and audit log.")
    version: Version | None = Field(
        None, description="The present version: another one by now is a conflict."
    )


class HistoryFilter(Page):
    """Which changes of a setting to list."""

    scope: Text | None = Field(None, description="Only those for this scope.")


class DiffFilter(Request):
    """Between what to compare: versions, or times where no version is given."""

    from_version: Version | None = Field(None, description="The older version; 0 is the start.")
    to_version: Version | None = Field(None, description="The newer version; else the present.")
    from_time: Moment | None = Field(None, description="The version of this time, instead.")
    to_time: Moment | None = Field(None, description="The version of this time, instead.")


class Change(Answer):
    """One version of a setting for one scope."""

    version: int
    key: str
    scope: str
    value: Any = Field(description="null: the scope was given back to the next wider one.")
    value_before: Any = Field(description="null: the scope had no value of its own.")
    valid_from: datetime
    valid_to: datetime | None = Field(description="null: it is the newest.")
    author: str
    reason: str


class History(Listing):
    """Versions of a setting, newest first."""

    history: list[Change]


class Setting(Answer):
    """A setting and the value in force."""

    key: str
    value: Any
    origin: str = Field(description="The scope that the value comes from, or default.")
    version: int | None = Field(description="The version that brought it; null for a default.")
    author: str | None
    reason: str | None
    valid_from: datetime | None
    default_value: Any
    kind: str = Field(description="number, integer, choice or text.")
    unit: str
    minimum: float | None
    maximum: float | None
    choices: list[str]
    scopes: list[str] = Field(description="For what it may be set: fleet, role, node.")
    area: str
    description: str
    narrower: dict[str, Any] = Field(description="Values of narrower scopes, by scope.")


class NodeVersion(Answer):
    """Which version of the settings a node runs."""

    node: str
    settings_version: int | None


class Config(Answer):
    """All settings in force for a scope, and who runs which version."""

    scope: str
    version: int = Field(description="The newest version of the configuration.")
    settings: list[Setting]
    nodes: list[NodeVersion]


class Difference(Answer):
    """A setting that differs between two versions."""

    key: str
    scope: str
    before: Any
    after: Any
    version: int
    author: str
    reason: str
    changed_at: datetime


class Diff(Answer):
    """What differs between two versions of the configuration."""

    from_version: int
    to_version: int
    changes: list[Difference]


class ScenarioShare(Answer):
    """A scenario's share: asked for in mixed jobs, and effective in what was accepted."""

    scenario: str
    weight: float
    asked_ratio: float | None
    effective_ratio_1d: float | None = Field(description="null: nothing was accepted in a day.")
    accepted_1d: int


class ScenarioShares(Answer):
    """Every scenario with its shares."""

    scenarios: list[ScenarioShare]
