"""What is counted equals what is stored."""

from __future__ import annotations

import uuid

import pytest

RECORD = "SELECT fleet.record_llm_request(%s, NULL, 'tiny', %s, %s, %s, %s, %s)"


def test_call_is_counted_once(fleet):
    """A repeated request id changes neither the table nor the counters."""
    request = uuid.uuid4()
    for _ in range(2):
        fleet.rows(RECORD, request, 100, 20, 2.0, 0.5, "ok", user="alpha")

    assert fleet.value("SELECT count(*) FROM analytics.llm_requests") == 1
    assert fleet.counters("fleet_llm_tokens_total") == {
        ("prompt", "tiny"): 100,
        ("completion", "tiny"): 20,
    }
    assert fleet.counters("fleet_llm_requests_total") == {("tiny", "ok"): 1}


def test_counters_equal_the_table(fleet):
    """Tokens, calls by outcome, sums and counts of durations are those of the view."""
    calls = [(100, 20, 0.05, 0.01, "ok"), (100, 7, 9.9, None, "error"), (90, 40, 300.0, 81.0, "ok")]
    for call in calls:
        fleet.rows(RECORD, uuid.uuid4(), *call, user="alpha")

    (sums,) = fleet.rows(
        "SELECT sum(prompt_tokens)::float AS prompt, sum(completion_tokens)::float AS completion,"
        " sum(duration_seconds) AS seconds, count(*) AS calls,"
        " count(time_to_first_token_seconds) AS answered FROM analytics.llm_requests"
    )
    assert fleet.counters("fleet_llm_tokens_total") == {
        ("prompt", "tiny"): sums["prompt"],
        ("completion", "tiny"): sums["completion"],
    }
    assert fleet.counters("fleet_llm_requests_total") == {("tiny", "ok"): 2, ("tiny", "error"): 1}
    duration, first = "fleet_llm_request_duration_seconds", "fleet_llm_time_to_first_token_seconds"
    assert fleet.counters(f"{duration}_sum") == {("tiny",): pytest.approx(sums["seconds"])}
    assert fleet.counters(f"{duration}_count") == {("tiny",): sums["calls"]}
    assert fleet.counters(f"{first}_count") == {("tiny",): sums["answered"]}


def test_prompt_tokens_that_are_not_told_are_unknown(fleet):
    """They are NULL in the table, and no counter says that there were none."""
    fleet.rows(RECORD, uuid.uuid4(), None, 20, 1.0, None, "aborted", user="alpha")

    (row,) = fleet.rows("SELECT * FROM analytics.llm_requests")
    assert (row["prompt_tokens"], row["cached_prompt_tokens"]) == (None, None)
    assert fleet.counters("fleet_llm_tokens_total") == {("completion", "tiny"): 20}
    assert fleet.counters("fleet_llm_cached_prompt_tokens_total") == {}


def test_cached_prompt_tokens_are_counted(fleet):
    """Those that the server tells are a column and a counter, also when there were none."""
    told = RECORD.replace("%s)", "%s, %s)")
    fleet.rows(told, uuid.uuid4(), 90, 20, 1.0, None, "ok", 0, user="alpha")
    fleet.rows(told, uuid.uuid4(), 90, 20, 1.0, None, "ok", 80, user="alpha")

    rows = fleet.rows("SELECT cached_prompt_tokens AS n FROM analytics.llm_requests ORDER BY n")
    assert [row["n"] for row in rows] == [0, 80]
    assert fleet.counters("fleet_llm_cached_prompt_tokens_total") == {("tiny",): 80}


def test_writing_is_counted_by_the_length_of_the_prompt(fleet):
    """Tokens and seconds from the first token on, of answers that were not cut off."""
    calls = [(511, 20, 3.0, 1.0, "ok"), (511, 10, 2.0, 0.5, "invalid"), (512, 8, 4.0, None, "ok"),
             (9000, 7, 1.5, 1.0, "ok"), (None, 3, 1.0, 0.5, "ok"), (90, 500, 9.0, 0.1, "aborted"),
             (90, 500, 9.0, 0.1, "error")]  # fmt: skip
    for call in calls:
        fleet.rows(RECORD, uuid.uuid4(), *call, user="alpha")

    assert fleet.counters("fleet_llm_writing_tokens_total") == {
        ("tiny", "0-511"): 30, ("tiny", "512-2047"): 8, ("tiny", "8192+"): 7,
        ("tiny", "unknown"): 3,
    }  # fmt: skip
    assert fleet.counters("fleet_llm_writing_seconds_total") == {
        ("tiny", "0-511"): 3.5, ("tiny", "512-2047"): 4.0, ("tiny", "8192+"): 0.5,
        ("tiny", "unknown"): 0.5,
    }  # fmt: skip


def test_buckets_are_cumulative(fleet):
    """Each bucket counts all that is not above its bound; the last has them all."""
    for seconds in (0.1, 0.11, 3.0, 3.0, 500.0):
        fleet.rows(RECORD, uuid.uuid4(), 1, 1, seconds, None, "ok", user="alpha")

    buckets = fleet.counters("fleet_llm_request_duration_seconds_bucket")

    by_bound = {float(le.replace("+Inf", "inf")): count for (le, _), count in buckets.items()}
    assert [by_bound[bound] for bound in sorted(by_bound)] == [1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 5]


def test_node_reads_its_own_counters(fleet):
    """read_counters shows the calling node's, not another's."""
    fleet.rows(RECORD, uuid.uuid4(), 1, 1, 1, 1, "ok", user="alpha")

    assert fleet.counters("fleet_llm_requests_total", "beta") == {}
