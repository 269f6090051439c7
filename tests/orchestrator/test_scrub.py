"""Masking of personal values in all the ways in which they may be written."""

from __future__ import annotations

import random
import re
from datetime import datetime

import pytest
from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.quality.scrub import MASK, mentions, render_value_patterns, scrub

PERSONA = {
    "values": {
        "customer_name": "Lucia Jimenez",
        "agent_name": "Mark",
        "date_of_birth": "September 3, 1958",
        "phone_number": "(312) 555-0147",
        "reference_number": "KD004512",
        "company": "Lakeside Clinic",
        "amount": "$240.00",
    },
    "personal": [
        "customer_name",
        "agent_name",
        "date_of_birth",
        "phone_number",
        "reference_number",
    ],
}
WRITTEN = {
    "name": [
        "Lucia Jimenez", "lucia jimenez", "LUCIA JIMENEZ", "Lucia  Jimenez", "Lucia-Jimenez",
        "Luc\u00eda Jim\u00e9nez", "Luci\u0301a", "Lucia",
        "LuciaJimenez", "Jimenezes", "Marks", "Jimenez", "Jim\u00c9nez", "L-u-c-i-a",
        "L. U. C. I. A.", "J i m e n e z", "Mark", "MARK", "m-a-r-k",
    ],
    "date": [
        "September 3, 1958", "september 3 1958", "September 3rd, 1958", "September 03, 1958",
        "Sep 3, 1958", "Sept. 3, 1958", "Sep. 3rd", "3 September 1958", "3rd of September, 1958",
        "the 3rd of September", "September 3rd", "September the 3rd", "9/3/1958", "09/03/1958",
        "9-3-58", "3.9.1958", "1958-09-03", "1958/9/3", "1958", "9/3",
        "September third, nineteen fifty-eight", "the third of September", "nineteen fifty eight",
    ],
    "phone": [
        "(312) 555-0147", "312-555-0147", "312.555.0147", "312 555 0147", "3125550147",
        "+1 312 555 0147", "+13125550147", "1-312-555-0147", "3 1 2, 5 5 5, 0 1 4 7", "555-0147",
        "555 0147", "0147", "five five five, oh one four seven", "zero one four seven",
    ],
    "number": [
        "KD004512", "kd004512", "KD 004512", "KD-004-512", "K D 0 0 4 5 1 2", "004512", "4512",
        "four five one two",
    ],
    "mail": ["lucia.jimenez58@mail.com", "LuciaJimenez@mail.com"],
}  # fmt: skip
SENTENCES = ("{}", "It is {}.", "{}, please!", "_{}_", '"{}"', "{}'s", "({})", "[{}]", "so {}\nyes")


def words(text):
    return set(re.findall(r"[^\W_]+", text.casefold()))


@pytest.mark.parametrize("written", [form for forms in WRITTEN.values() for form in forms])
def test_every_written_form_is_masked(written):
    """Case, accents, spelling out, and the ways of writing dates and numbers make no difference."""
    for sentence in SENTENCES:
        text = scrub(sentence.format(written), PERSONA)

        assert MASK in text
        assert not re.search(r"\d|luc|jim|mark|sep", text.casefold()), text


@pytest.mark.parametrize(
    "text",
    [
        "The market opens, remark that.",
        "A trademark of Lakeside Clinic.",
        "Luciana and Markham are other people.",
        "Your bill of $240.00 for March 3.",
        "Call 312 about September.",
        "Order 0045123 of 19581.",
        "It is 555-01478.",
        "In 1957 and 1959, on September 30th.",
        "Order AKD004512 is another one.",
    ],
)
def test_words_that_only_contain_a_value_stay(text):
    """Parts of other words and numbers, and what is nobody's, are left alone."""
    assert scrub(text, PERSONA) == text


def test_rest_of_the_sentence_stays():
    """Only the value goes, and every time."""
    text = "Hi Lucia, I'm Mark. Lucia, is it 555-0147?"

    assert scrub(text, PERSONA) == "Hi [PII], I'm [PII]. [PII], is it [PII]?"


def test_scrubbing_twice_changes_nothing():
    """A mask is not masked again."""
    text = scrub("I'm Lucia Jimenez, born September 3rd, 1958.", PERSONA)

    assert scrub(text, PERSONA) == text == "I'm [PII], born [PII]."


def test_mentions_finds_what_scrub_would_mask():
    """The check for disclosed proofs looks for the same forms."""
    patterns = render_value_patterns("date_of_birth", "September 3, 1958")

    assert mentions("It was sept 3rd.", patterns)
    assert not mentions("It was september 13th.", patterns)


def variants(persona):
    """Some of the forms of every personal value."""
    values = persona["values"]
    born = datetime.strptime(values["date_of_birth"], "%B %d, %Y")  # noqa: DTZ007 - a birthday
    digits = re.sub(r"\D", "", values["phone_number"])
    yield from values["customer_name"].split()
    yield from (values["customer_name"].upper(), values["agent_name"], values["agent_name"].lower())
    yield from (f"{born:%B} {born.day}th", f"{born.day} {born:%b} {born.year}", f"{born:%m/%d/%Y}")
    yield from (values["date_of_birth"], str(born.year), values["phone_number"], digits)
    yield f"{digits[:3]}.{digits[3:6]}.{digits[6:]}"
    yield from (values["reference_number"], " ".join(values["reference_number"]))


def test_nothing_personal_survives(definition):
    """Whatever the seed: after scrubbing, no name, number or date of the persona is left."""
    for seed in range(20):
        persona, draw = make_persona(definition, seed), random.Random(seed)
        said = list(variants(persona))
        draw.shuffle(said)

        text = scrub(" and then ".join(said) + ".", persona)

        assert set(text.split()) <= {"and", "then", "[PII]", "[PII]."}
        for name in persona["personal"]:
            assert persona["values"][name] not in text
