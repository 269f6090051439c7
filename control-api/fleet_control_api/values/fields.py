"""
The types of single values, and the bases of all models.

Each type carries its limits, so that what is checked and what the OpenAPI document says are one.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from fleet_timescale.text import TEXT_MAX
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
)
from typing_extensions import TypeAliasType

INTEGER_MAX = 2**31 - 1  # PostgreSQL's integer
LIST_MAX = 1000  # rows in one answer
FROM_QUERY = "query"  # the validation context of query strings, in which numbers are text
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
# Control characters, line separators and the marks that reverse the direction of text: PostgreSQL
# refuses some of them, and readers of logs stumble on all.
_FORBIDDEN = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
LINE = rf"^[^{_FORBIDDEN}]*[^{_FORBIDDEN}\s][^{_FORBIDDEN}]*$"
ASCII_LINE = r"^[ -~]*[!-~][ -~]*$"  # what every HTTP client can send in a header


class Request(BaseModel):
    """Values that a caller sends. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Request):
    """No values at all."""


class Answer(BaseModel):
    """An answer. What a view tells beyond the fields named here is passed on."""

    model_config = ConfigDict(extra="allow", frozen=True)


def _parse_whole(value: Any, info: ValidationInfo) -> Any:
    """Return 5 for 5.0, which is a whole number in JSON, and for the text 5 of a query string."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    is_text = info.context == FROM_QUERY and isinstance(value, str)
    return int(value) if is_text and _INTEGER.fullmatch(value.strip()) else value


Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=TEXT_MAX, pattern=LINE),
    AfterValidator(str.strip),
]
HeaderText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=TEXT_MAX, pattern=ASCII_LINE),
    AfterValidator(str.strip),
]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=TEXT_MAX)]
PASSWORD_MIN = 12  # characters: what NIST SP 800-63B asks of a password that nothing else guards
NewPassword = Annotated[SecretStr, Field(min_length=PASSWORD_MIN, max_length=TEXT_MAX)]
Login = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._@-]{0,62}$")]
WHOLE = BeforeValidator(_parse_whole)  # after a Field with strict=True and both bounds
Limit = Annotated[int, Field(strict=True, ge=1, le=LIST_MAX), WHOLE]

# Types whose values are known only when the program runs. They are schemas of their own in the
# OpenAPI document, which adds the scenarios, runbooks and the maximum that there are.
AlertName = TypeAliasType("AlertName", str)
Scenario = TypeAliasType("Scenario", Text)
ScenarioOrMixed = TypeAliasType("ScenarioOrMixed", Text)
ConversationCount = TypeAliasType(
    "ConversationCount", Annotated[int, Field(strict=True, ge=1, le=INTEGER_MAX), WHOLE]
)


class KeyHeaders(Request):
    """Headers of every change."""

    idempotency_key: HeaderText | None = Field(
        None,
        alias="Idempotency-Key",
        description="The same request with this key within a day changes nothing and is answered "
        "as the first.",
    )
