"""The dashboard "Conversation": what was said, whether it was kept and why, and how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_dashboards.layout import Page, Row, dashboard
from fleet_dashboards.links import CONVERSATION
from fleet_dashboards.topics.conversations import transcript

if TYPE_CHECKING:
    from fleet_dashboards.datasources import Json

PAGE = Page(CONVERSATION, "Conversation", "One conversation to read, with all that is known of it.")


def build() -> Json:
    """Return the dashboard: verdict and figures, the words, then how they came to be."""
    rows = [
        Row(4, [(4, transcript.verdict()), (9, transcript.scores()), (11, transcript.figures())]),
        Row(5, [(24, transcript.about())]),
        Row(14, [(24, transcript.turns())]),
        Row(6, [(14, transcript.evidence()), (10, transcript.neighbours())]),
        Row(9, [(10, transcript.tries()), (14, transcript.calls())]),
    ]
    return dashboard(PAGE, rows, [transcript.variable()])
