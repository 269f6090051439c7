"""Copies planted among different calls are found, the different ones are not taken for copies."""

from __future__ import annotations

import random

import copies
import pytest

CALLS, PLANTED = 200, 60
NAMES, ORDER = "other names", "turns reordered"
FEW, MANY = "5 % of words changed", "15 % of words changed"


@pytest.fixture(scope="module")
def calls():
    return list(copies.draw_calls(CALLS))


@pytest.fixture(scope="module")
def stored(module_database, calls):
    """A connection, the id of each call as an accepted conversation, what was a copy before it."""
    ids, taken = [], []
    with module_database.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        for one in calls:
            sketch = one.sketch
            taken.append(copies.find(connection, sketch)[0])
            ids.append(copies.put(connection, one.scenario, sketch))
        yield connection, ids, [found for found in taken if found]


@pytest.fixture(scope="module")
def shares(stored, calls):
    """By kind of copy: the share of them for which the original was found."""
    connection, ids, _ = stored
    planted = copies.plant(calls[:PLANTED], random.Random(3))
    found = {
        kind: [copies.find(connection, one.sketch)[0] for one in ones]
        for kind, ones in planted.items()
    }
    return {
        kind: sum(made == original for made, original in zip(ones, ids, strict=False)) / PLANTED
        for kind, ones in found.items()
    }


def test_different_calls_are_no_copies(stored):
    """Of calls that were written apart none is taken for a copy of one that was before."""
    _, ids, taken = stored

    assert len(ids) == CALLS
    assert taken == []


@pytest.mark.parametrize(("kind", "share"), [(NAMES, 1.0), (ORDER, 1.0), (FEW, 0.99), (MANY, 0.9)])
def test_copies_are_found(shares, kind, share):
    """All with other names or another order; nearly all of those with some words changed."""
    assert shares[kind] >= share


def test_order_and_names_do_not_change_the_words(calls):
    """A copy whose turns are in another order, about other people, has all words in common."""
    planted = copies.plant(calls[:20], random.Random(3))

    for original, copy in zip(calls, planted[ORDER], strict=False):
        assert copy.texts != original.texts
        assert copy.sketch.words == original.sketch.words
