"""Rules of health care in the database: loaded from their file, counted by what broke them."""

from __future__ import annotations

import json
import uuid

from fix_fleet import TURNS

SCRUBBED = [f"scrubbed {text}" for text in TURNS]
STORE = """
SELECT fleet.store_verdict(%s, %s, %s, %s, 'turn 2: [PII]', 'x', %s, 'checks', 12, 13, %s)"""


def judge(fleet, valid, *violations, reason=None):
    """Write a conversation and store what the rules say of it; return its id."""
    made, worker = fleet.write(), uuid.uuid4()
    fleet.rows("SELECT * FROM fleet.claim_judgements(%s, 10)", worker, user="alpha")
    told = json.dumps(
        {"valid": valid, "violations": [{"rule": r, "position": p} for r, p in violations]}
    )
    stage = "healthcare" if reason else None
    fleet.value(STORE, made, worker, reason, stage, SCRUBBED, told, user="alpha")
    return made


def rule(fleet, name):
    (row,) = fleet.rows("SELECT * FROM analytics.healthcare_rules WHERE rule = %s", name)
    return row


def test_rules_have_text_and_source(fleet):
    """Each shipped rule is there for people to read, broken by nothing yet."""
    rows = fleet.rows("SELECT * FROM analytics.healthcare_rules")

    assert len(rows) == 18
    assert all(row["text"] and row["source"] and row["theme"] for row in rows)
    assert {(row["conversations"], row["rejected"], row["last_broken_at"]) for row in rows} == {
        (0, 0, None)
    }


def test_violation_is_counted_and_shown_with_its_turn(fleet):
    """Conversations, turns and rejections are counted apart; the words are the scrubbed ones."""
    made = judge(fleet, False, ("dose_given", 1), ("dose_given", 3), reason="dose_given")

    row = rule(fleet, "dose_given")
    assert (row["conversations"], row["turns"], row["rejected"], row["tries"]) == (1, 2, 1, 0)
    assert row["last_broken_at"] is not None
    shown = fleet.rows("SELECT * FROM analytics.healthcare_violations ORDER BY position")
    assert [(r["conversation_id"], r["rule"], r["position"]) for r in shown] == [
        (made, "dose_given", 1),
        (made, "dose_given", 3),
    ]
    assert [r["text"] for r in shown] == [SCRUBBED[0], SCRUBBED[2]]


def test_validity_is_kept_as_it_was_judged(fleet):
    """True, false, and nothing where the call was not judged by the rules."""
    for valid in (True, False, None):
        made = judge(fleet, valid, reason="phase_missing" if valid is False else None)
        kept = fleet.value(
            "SELECT healthcare_valid AS value FROM analytics.conversations"
            " WHERE conversation_id = %s",
            made,
        )
        assert kept is valid


def test_turn_that_is_not_kept_has_no_words(fleet):
    """A conversation that was given up broke a rule at the turn after its last one."""
    judge(fleet, False, ("dose_given", len(TURNS) + 1), reason="dose_given")

    (shown,) = fleet.rows("SELECT position, text FROM analytics.healthcare_violations")
    assert (shown["position"], shown["text"]) == (len(TURNS) + 1, None)
