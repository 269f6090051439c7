"""
Invent the people and the facts of one conversation from its seed.

The same scenario and seed give the same persona on every machine. Nothing is taken from real
people: names come from the lists below, telephone numbers are of the range reserved for fiction
(555-01xx), ids are random digits.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

# Names that are no English words, so that masking them leaves the rest of a sentence alone.
FIRST_NAMES = (
    "Amanda", "Andrew", "Brenda", "Carlos", "Cynthia", "Daniel", "Deborah", "Diego", "Elena",
    "Fatima", "Gregory", "Hannah", "Imani", "Jasmine", "Jeffrey", "Keiko", "Kevin", "Laura",
    "Leonard", "Lucia", "Marcus", "Megan", "Miguel", "Nadia", "Natalie", "Oscar", "Pamela",
    "Priya", "Rachel", "Ricardo", "Samantha", "Sandra", "Sergio", "Sofia", "Stephen", "Tamara",
    "Thomas", "Valerie", "Vincent", "Yolanda",
)  # fmt: skip
LAST_NAMES = (
    "Alvarez", "Anderson", "Bennett", "Castillo", "Chandra", "Collins", "Delgado", "Donovan",
    "Ellison", "Fischer", "Fitzgerald", "Garcia", "Gutierrez", "Hamilton", "Hernandez", "Ibrahim",
    "Jackson", "Jimenez", "Kowalski", "Larsen", "Lindqvist", "Martinez", "Mendoza", "Mitchell",
    "Nakamura", "Okafor", "Patterson", "Petrov", "Ramirez", "Robinson", "Rodriguez", "Sandoval",
    "Schneider", "Sullivan", "Thompson", "Vasquez", "Whitaker", "Williamson",
)  # fmt: skip
YOUNGEST, OLDEST = (
    21,
    84,
)  # years; callers are adults, and ages over 89 are personal data of their own
REFERENCE_DAY = date(
    2026, 1, 1
)  # ages are counted from here, so that a seed means the same tomorrow


def make_persona(definition: dict[str, Any], seed: int) -> dict[str, Any]:
    """
    Draw the values of one conversation; deterministic in (definition, seed).

    Returns the form stored in fleet.tasks.persona: `values` for the prompt, and `personal`, the
    names of those values that quality must mask.
    """
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    customer = draw.choice(definition["customers"])
    first, agent_first = draw.sample(FIRST_NAMES, 2)
    birth = REFERENCE_DAY - timedelta(days=draw.randint(YOUNGEST * 366, OLDEST * 365))
    personal = {
        "customer_name": f"{first} {draw.choice(LAST_NAMES)}",
        "agent_name": agent_first,
        "date_of_birth": f"{birth:%B} {birth.day}, {birth.year}",
        "phone_number": f"({draw.randint(201, 989)}) 555-01{draw.randint(0, 99):02d}",
        "reference_number": "".join(draw.choices("BCDFGHKLMNPRTW", k=2))
        + f"{draw.randint(0, 999999):06d}",
    }
    facts = {name: draw.choice(options) for name, options in definition["facts"].items()}
    values = facts | personal | customer | {"company": draw.choice(definition["companies"])}
    return {"values": values, "personal": sorted(personal)}


def find_persona(
    stored: dict[str, Any] | None, definition: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Return whom a task is about; nobody where the definition is one that we cannot read."""
    try:
        return stored or make_persona(definition, seed)
    except (KeyError, TypeError, ValueError, IndexError):
        return {"values": {}, "personal": []}
