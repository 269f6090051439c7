"""
What a text message says: one for a group of alerts, at most 160 characters of the GSM alphabet.

A character outside of that alphabet would make the whole message UCS-2, and 70 characters its end.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEPTETS_MAX = 160
GSM = frozenset(
    "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("^{}\\[~]|€")  # two septets each
FOLDED = {
    "°": "", "µ": "u", "\u2013": "-", "\u2014": "-", "…": "...", "·": ",", "\u00d7": "x",
    "≥": ">=", "≤": "<=", "\u2018": "'", "\u2019": "'", "“": '"', "”": '"', "„": '"', "→": "->",
    "\t": " ",
}  # fmt: skip
NAMES_MAX = 3


@dataclass(frozen=True)
class Notice:
    """What Alertmanager tells of a group of alerts."""

    group: str
    alertname: str
    state: str  # firing or resolved
    text: str
    digest: str  # of which alerts fire and which are over: equal for what is told again


def fold(text: str) -> str:
    """Return the text in characters of the GSM alphabet."""
    return "".join(_fold_one(one) for one in text)


def _fold_one(one: str) -> str:
    if one in GSM or one in EXTENDED:
        return one
    if one in FOLDED:
        return FOLDED[one]
    plain = "".join(part for part in unicodedata.normalize("NFKD", one) if part in GSM)
    return plain or "?"


def count_septets(text: str) -> int:
    """Return how much room a folded text takes."""
    return sum(2 if one in EXTENDED else 1 for one in text)


def shorten(text: str, septets: int = SEPTETS_MAX) -> str:
    """Return the folded text, cut so that it fits into one message."""
    folded = " ".join(fold(text).split())
    if count_septets(folded) <= septets:
        return folded
    while count_septets(folded) > septets - 3:
        folded = folded[:-1]
    return f"{folded.rstrip()}..."


def parse_notice(payload: Mapping[str, Any]) -> Notice:
    """Return what a webhook of version 4 tells. Raises KeyError or TypeError for anything else."""
    alerts = [dict(one) for one in payload["alerts"]]
    firing = [one for one in alerts if one["status"] == "firing"]
    told = firing or alerts
    state = "firing" if firing else "resolved"
    alertname = str(told[0]["labels"]["alertname"])
    parts = sorted((str(one.get("fingerprint") or one["labels"]), one["status"]) for one in alerts)
    return Notice(
        group=str(payload["groupKey"]),
        alertname=alertname,
        state=state,
        text=render(state, alertname, told, int(payload.get("truncatedAlerts") or 0)),
        digest=hashlib.sha256(json.dumps([state, parts]).encode()).hexdigest(),
    )


def render(
    state: str, alertname: str, alerts: Sequence[Mapping[str, Any]], truncated: int = 0
) -> str:
    """Return the message: what, where, how many, and the description of the first."""
    nodes = list(dict.fromkeys(str(one["labels"].get("node", "")) for one in alerts))
    named = [node for node in nodes if node]
    where = f" on {', '.join(named[:NAMES_MAX])}" if named else ""
    count = len(alerts) + truncated
    more = f" ({count} in all)" if count > NAMES_MAX or count > len(nodes) else ""
    word = "ALERT" if state == "firing" else "OVER"
    notes = alerts[0].get("annotations") or {}
    said = str(notes.get("description") or notes.get("summary") or "")
    return shorten(f"{word} {alertname}{where}{more}" + (f": {said}" if said else ""))


def render_rest(names: Mapping[str, int]) -> str:
    """Return the one message that stands for those that the cap held back."""
    count = sum(names.values())
    told = ", ".join(names)
    return shorten(f"And {count} more alert messages: {told}. Open the dashboard or your mail.")
