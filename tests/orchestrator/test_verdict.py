"""From findings to a verdict: one reason, scrubbed evidence, a fingerprint of the words."""

from __future__ import annotations

import pytest
from fleet_orchestrator.quality.call import Conversation
from fleet_orchestrator.quality.order import CHECKS
from fleet_orchestrator.quality.verdict import decide_verdict, fingerprint

PERSONA = {"values": {"customer_name": "Oscar Larsen"}, "personal": ["customer_name"]}
OTHER = {"values": {"customer_name": "Keiko Petrov"}, "personal": ["customer_name"]}
TEXTS = ("Hello, how may I help?", "I'm Oscar Larsen, about my bill.", "It's fine.", "Bye, then!")


def conversation(*texts, **told):
    turns = [
        {"speaker": ("agent", "customer")[index % 2], "text": text}
        for index, text in enumerate(texts)
    ]
    return Conversation(turns, **{"min_turns": 2, "max_turns": 8} | told)


def hash_of(*texts, persona=PERSONA):
    return decide_verdict(conversation(*texts), persona).content_hash


def test_accepted_conversation_has_no_finding():
    """All checks passed, the database's duplicate check counted in; names are masked."""
    verdict = decide_verdict(conversation(*TEXTS), PERSONA)

    assert verdict.finding is None
    assert verdict.checks_passed == verdict.checks_total == len(CHECKS) + 1
    assert verdict.scrubbed[1] == "I'm [PII], about my bill."
    assert verdict.judge == "checks"


def test_first_failed_check_is_the_reason():
    """Shape goes before what is said; every failed check lowers the number passed."""
    texts = ("Hello [name].", "As an AI I cannot", "Fine.")

    verdict = decide_verdict(conversation(*texts), PERSONA)

    assert (verdict.finding.reason, verdict.finding.stage) == ("cut_off", "shape")
    assert verdict.checks_passed == verdict.checks_total - 3


def test_evidence_is_scrubbed():
    """Who reads why it was rejected reads no personal value."""
    verdict = decide_verdict(conversation("Hi.", "I'm OSCAR LARSEN and I want"), PERSONA)

    assert verdict.finding.evidence == "turn 2: I'm [PII] and I want"


@pytest.mark.parametrize(
    "texts",
    [
        (TEXTS[0].upper(), *TEXTS[1:]),
        ("Hello -- how may I help", *TEXTS[1:]),
        (*TEXTS[:2], "It's   fine!!", TEXTS[3]),
        (*TEXTS[:3], "\uff22ye, then!"),
    ],
    ids=["case", "punctuation", "spaces", "width"],
)
def test_small_differences_make_no_other_conversation(texts):
    """Case, punctuation, spaces and the form of letters do not change the fingerprint."""
    assert hash_of(*texts) == hash_of(*TEXTS)


def test_other_names_make_no_other_conversation():
    """The same words about another person are the same conversation."""
    theirs = [text.replace("Oscar Larsen", "Keiko Petrov") for text in TEXTS]

    assert hash_of(*theirs, persona=OTHER) == hash_of(*TEXTS)


@pytest.mark.parametrize(
    "texts",
    [
        (*TEXTS[:3], "Bye, now!"),
        TEXTS[:3],
        (TEXTS[0] + " " + TEXTS[1], *TEXTS[2:]),
        (TEXTS[1], TEXTS[0], *TEXTS[2:]),
    ],
    ids=["a word", "a turn less", "joined turns", "order"],
)
def test_other_words_make_another_conversation(texts):
    """A different word, turn or order is a different fingerprint."""
    assert hash_of(*texts) != hash_of(*TEXTS)


def test_speaker_is_part_of_the_words():
    """The same text said by the other one is another conversation."""
    one = [{"speaker": "agent", "text": "Yes."}]
    other = [{"speaker": "customer", "text": "Yes."}]

    assert fingerprint(one, ["Yes."]) != fingerprint(other, ["Yes."])
