"""Invented people: repeatable, fictional, and known to quality."""

from __future__ import annotations

import re
from datetime import datetime

from fleet_orchestrator.generation.persona import (
    FIRST_NAMES,
    LAST_NAMES,
    OLDEST,
    REFERENCE_DAY,
    YOUNGEST,
    make_persona,
)

SEEDS = range(200)


def test_same_seed_gives_the_same_persona(definition):
    """A conversation that continues on another machine is about the same people."""
    assert make_persona(definition, 7) == make_persona(definition, 7)
    assert make_persona(definition, 7) != make_persona(definition, 8)


def test_telephone_numbers_are_fictional(billing):
    """555-01xx behind an area code that could be one."""
    for seed in SEEDS:
        number = make_persona(billing, seed)["values"]["phone_number"]

        assert re.fullmatch(r"\([2-9]\d\d\) 555-01\d\d", number)


def test_callers_are_adults_below_ninety(billing):
    """Dates of birth are real days, written out, of people of the given ages."""
    for seed in SEEDS:
        text = make_persona(billing, seed)["values"]["date_of_birth"]
        born = datetime.strptime(text, "%B %d, %Y").date()  # noqa: DTZ007 - a birthday

        assert YOUNGEST <= (REFERENCE_DAY - born).days / 365.25 <= OLDEST


def test_every_invented_name_and_number_is_personal(definition):
    """What names a person, and what identifies them, is in `personal` and so gets masked."""
    for seed in SEEDS:
        persona = make_persona(definition, seed)
        masked = {persona["values"][name] for name in persona["personal"]}

        for name, value in persona["values"].items():
            words = set(re.findall(r"\w+", value))
            is_person = words & {*FIRST_NAMES, *LAST_NAMES}
            is_number = re.search(r"\d{4}|555-", value)
            assert (value in masked) == bool(is_person or is_number or name in persona["personal"])
            assert name in persona["personal"] or value not in masked


def test_nobody_talks_to_their_namesake(billing):
    """Agent and customer have different first names."""
    for seed in SEEDS:
        values = make_persona(billing, seed)["values"]

        assert values["agent_name"] != values["customer_name"].split()[0]


def test_names_of_the_example_are_never_drawn(definition):
    """A name of the worked example in a conversation can only be a leak."""
    example = definition["example"]["values"]

    assert example["agent_name"] not in FIRST_NAMES
    assert not {*example["customer_name"].split()} & {*FIRST_NAMES, *LAST_NAMES}
    assert example["company"] not in definition["companies"]
