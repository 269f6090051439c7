"""What conversations are compared by: words with their speakers, bands, the worked example."""

from __future__ import annotations

import pytest
from fleet_orchestrator.quality.similarity import (
    compare,
    number_words,
    read_shingles,
    read_turns,
)
from fleet_orchestrator.quality.sketch import Method, find_bands, find_method, make_sketch

METHOD = Method(shingle_words=2, permutations=64)
SPEAKERS = ("agent", "customer", "agent", "customer")
TEXTS = ("Lakeside Clinic, how can I help?", "I lost my card.", "I can send one.", "Thanks, bye.")
PERSONA = {"values": {"company": "Lakeside Clinic"}, "personal": ["customer_name"]}
EXAMPLE = {
    "example": {
        "values": {"company": "Hill House", "customer_name": "Peter Novak"},
        "texts": ["Hill House, how can I help?", "I am Peter Novak.", "I see.", "Bye."],
    }
}


def sketch(*texts, persona=PERSONA, method=METHOD):
    turns = [{"speaker": speaker} for speaker in SPEAKERS[: len(texts)]]
    return make_sketch(turns, texts, persona, EXAMPLE, method)


def similarity(texts, others, speakers=SPEAKERS):
    first = number_words(read_turns(SPEAKERS[: len(texts)], texts))
    return compare(first, number_words(read_turns(speakers, others)))


def test_same_words_in_another_order_are_the_same():
    """The order of turns, case and punctuation do not count."""
    others = (TEXTS[2].upper(), TEXTS[3], TEXTS[0].replace(",", " -"), TEXTS[1])

    assert similarity(TEXTS, others) == 1


def test_speaker_counts():
    """The same words said by the other one are other words."""
    assert similarity(TEXTS[:1], TEXTS[:1], ["agent"]) == 1
    assert similarity(TEXTS[:1], TEXTS[:1], ["customer"]) == 0


def test_words_count_as_often_as_they_are_said():
    """A word that is said twice is two words."""
    once, twice = read_turns(["agent"], ["no"]), read_turns(["agent"], ["no no"])

    assert compare(number_words(once), number_words(twice)) == 0.5


def test_empty_conversations_are_not_alike():
    """Nothing in common with nothing is no similarity, and no error."""
    assert compare([], []) == 0


def test_shingles_stay_within_a_turn():
    """Runs of words do not reach into the next turn; a short turn is one run."""
    turns = read_turns(["agent", "customer"], ["a b c", "d"])

    assert list(read_shingles(turns, 2)) == [b"agent a b", b"agent b c", b"customer d"]


def test_company_is_a_name():
    """The same text about another company is the same conversation."""
    other = {"values": {"company": "Oak Street Care"}, "personal": []}
    texts = (TEXTS[0].replace("Lakeside Clinic", "Oak Street Care"), *TEXTS[1:])

    assert sketch(*texts, persona=other).words == sketch(*TEXTS).words


def test_numbers_are_integers_of_postgresql():
    """Words and bands fit into integer, and there is a band for four permutations each."""
    made = sketch(*TEXTS)

    assert len(made.bands) == 16
    assert all(-(2**31) <= number < 2**31 for number in [*made.words, *made.bands])


def test_bands_of_two_methods_never_meet():
    """With another length of runs or other permutations no band is the same."""
    turns = read_turns(SPEAKERS, TEXTS)
    bands = [set(find_bands(turns, Method(words, 64))) for words in (2, 3)]
    bands.append(set(find_bands(turns, Method(2, 128))))

    assert not bands[0] & bands[1]
    assert not bands[0] & bands[2]


def test_bands_are_the_same_everywhere():
    """They are stored: another version that makes others must be another method."""
    turns = read_turns(["agent"], ["how can I help you today"])

    assert find_bands(turns, METHOD)[:3] == [1933270113, 319812909, -789143067]


def test_copy_of_the_worked_example_is_seen():
    """Its people and its company are masked as those of the conversation are."""
    copied = ("[PII], how can I help?", "I am [PII].", "I see.", "Bye.")

    assert sketch(*copied).example_similarity == 1
    assert sketch(*TEXTS).example_similarity < 0.6


def test_without_datasketch_there_are_no_bands():
    """A node that lacks it makes a sketch all the same: the worked example is compared."""
    method = find_method({"duplicate_shingle_words": 2}, is_installed=False)

    made = sketch(*TEXTS, method=method)
    assert (made.method, made.bands) == ("", [])
    assert len(made.words) > 10


@pytest.mark.parametrize(("size", "permutations"), [(1, 64), (8, 67)])
def test_any_method_that_can_be_set(size, permutations):
    """The shortest and the longest runs; permutations that make no whole band are left over."""
    assert len(find_bands(read_turns(SPEAKERS, TEXTS), Method(size, permutations))) == 16
