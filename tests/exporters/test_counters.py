"""The worker's counters reach the page as they stand in the file."""

from __future__ import annotations

import json

import pytest
from fleet_exporters.errors import CountersError
from fleet_exporters.reading.counters import Counters, parse_counters
from fleet_exporters.sample import Sample
from fleet_exporters.sinks.page.prometheus import render

TOKENS = {"name": "fleet_llm_tokens_total", "labels": {"model": "m", "kind": "prompt"}, "value": 7}


def bucket(limit, value):
    """Return a row of the duration histogram."""
    return {
        "name": "fleet_llm_request_duration_seconds_bucket",
        "labels": {"model": "m", "le": limit},
        "value": value,
    }


def content(*rows, version=1):
    """Return the text of a counters file."""
    return json.dumps(
        {"version": version, "time": "2026-01-02T03:04:05+00:00", "counters": list(rows)}
    )


def put(directory, text):
    """Replace the file as the worker does."""
    draft = directory / "draft"
    draft.write_text(text)
    draft.replace(directory / "counters.json")


def test_rows_become_samples():
    """Each row is a sample; the time of writing is one more."""
    assert [
        Sample("fleet_llm_tokens_total", {"model": "m", "kind": "prompt"}, 7.0),
        Sample("fleet_worker_counters_timestamp_seconds", {}, 1767323045.0),
    ] == parse_counters(content(TOKENS))


def test_histogram_is_one_family():
    """Buckets come upwards, then sum and count, under one TYPE line."""
    name = "fleet_llm_request_duration_seconds"
    rows = [
        {"name": f"{name}_sum", "labels": {"model": "m"}, "value": 12.5},
        {"name": f"{name}_count", "labels": {"model": "m"}, "value": 3},
        bucket("+Inf", 3),
        bucket("10", 2),
        bucket("2.5", 1),
    ]

    page = render(parse_counters(content(*rows))).decode()

    assert [
        f"# TYPE {name} histogram",
        f'{name}_bucket{{le="2.5",model="m"}} 1.0',
        f'{name}_bucket{{le="10",model="m"}} 2.0',
        f'{name}_bucket{{le="+Inf",model="m"}} 3.0',
        f'{name}_sum{{model="m"}} 12.5',
        f'{name}_count{{model="m"}} 3.0',
    ] == [line for line in page.splitlines() if name in line and "HELP" not in line]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "restart the worker"),
        ("[]", "restart the worker"),
        (content(version=2), "version 2"),
        (content(TOKENS | {"name": "fleet_load_1m", "labels": {}}), "not a counter of the worker"),
        (content(TOKENS | {"labels": {"model": "m"}}), "has labels"),
        (content(TOKENS | {"value": -1}), "cannot be -1"),
    ],
    ids=["cut", "list", "version", "metric", "labels", "negative"],
)
def test_bad_file_is_refused(text, message):
    """What the catalogue does not know never reaches the page."""
    with pytest.raises(CountersError, match=message):
        parse_counters(text)


def test_only_changes_are_published(tmp_path):
    """A file is read when it is new; a missing one is no error."""
    published = []
    counters = Counters(tmp_path, published.append)

    before = counters.refresh()
    put(tmp_path, content(TOKENS))
    first, second = counters.refresh(), counters.refresh()
    put(tmp_path, content(TOKENS | {"value": 8}))
    third = counters.refresh()

    assert [before, first, second, third] == [False, True, False, True]
    assert [samples[0].value for samples in published] == [7.0, 8.0]


def test_last_values_outlive_a_bad_file(tmp_path, caplog):
    """A file that cannot be read changes nothing and is said once."""
    published = []
    counters = Counters(tmp_path, published.append)
    put(tmp_path, content(TOKENS))
    counters.refresh()
    put(tmp_path, "{")
    results = [counters.refresh(), counters.refresh()]

    assert results == [False, False]
    assert len(published) == 1
    assert caplog.messages == ["counters.json cannot be used; the previous counters stay"]
