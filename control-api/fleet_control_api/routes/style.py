"""The one style sheet of all pages, inside of each, and the policy that allows it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from markupsafe import Markup

STYLE = Path(__file__).parents[1] / "templates" / "style.css"


@cache
def read_style() -> tuple[Markup, str]:
    """Return the style sheet and the policy that allows it and nothing else: no script at all."""
    text = STYLE.read_text()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return Markup(text), policy  # noqa: S704 - a file of ours
