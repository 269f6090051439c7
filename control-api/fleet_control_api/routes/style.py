"""The one style sheet of all pages, inside of each, and the policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from flask import Response
from markupsafe import Markup

STYLE = Path(__file__).parents[1] / "templates" / "style.css"


@cache
def read_style() -> Markup:
    """Return the style sheet."""
    return Markup(STYLE.read_text())  # noqa: S704 - a file of ours


def answer_page(text: str, status: int = 200) -> Response:
    """Return the answer with a page that has the style sheet."""
    response = Response(text, status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = render_policy(read_style())
    return response


@cache
def render_policy(style: str) -> str:
    """Return the policy that allows the style sheet and nothing else: no script at all."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
