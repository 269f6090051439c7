"""Answers as people read them, without an API."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from fleet_control_api.client.ids import decide_id
from fleet_control_api.client.remote import Remote
from fleet_control_api.client.screen import render_error, render_plain, show
from fleet_control_api.client.tables import Listing, count_fitting, render_fields
from fleet_control_api.client.values import render_age, render_value
from fleet_control_api.service.errors import ClientError
from rich.console import Console
from rich.markdown import Markdown

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
JOB = {
    "job_id": "3f2a91c4-0000-4000-8000-000000000001",
    "state": "running",
    "scenario": "healthcare_billing",
    "failed": 0,
    "eta_p50_at": "2026-11-28T12:12:00+00:00",
}


def render_terminal(shown, width=80):
    """What a terminal of a width shows, without its colours."""
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=True, color_system=None, markup=False).print(
        shown
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "now"),
        (-3, "3 s ago"),
        (89, "in 89 s"),
        (-90, "2 min ago"),
        (12 * 60, "in 12 min"),
        (-5 * 3600, "5 h ago"),
        (3 * 86400, "in 3 d"),
        (-400 * 86400, "2025-10-24"),
    ],
)
def test_instants_are_told_from_now(seconds, said):
    """In the largest unit that still tells it well; a day once it is far away."""
    assert render_age(NOW + timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("node", None, "-"),
        ("is_expected", False, "no"),
        ("progress_ratio", 0.416, "42 %"),
        ("memory_used_bytes", 3_210_000_000, "3.2 GB"),
        ("gpu_temperature_celsius", 63.4, "63 °C"),
        ("effective_ratio_1d", 0.125, "12 %"),
        ("tokens_per_second", 12.3456, "12.35"),
        ("maximum", 67108864.0, "67108864"),
        ("tasks", {"done": 3, "pending": 2}, "3 done, 2 pending"),
        ("last_heartbeat_at", "2026-11-28T11:59:57+00:00", "3 s ago"),
        ("created_at", "yesterday", "yesterday"),
        ("reason", "\x1b[2Jgone", "\ufffd[2Jgone"),
    ],
)
def test_values_are_told_with_their_unit(name, value, said):
    """The ending of a name says the unit; what a terminal would obey is taken out."""
    assert render_value(name, value, NOW) == said


def test_pipe_gets_one_line_a_row():
    """Whole ids, no colours, no boxes, no line breaks."""
    table = Listing([JOB], tuple(JOB), NOW)

    assert render_plain(table).splitlines() == [
        "job                                   state    scenario            failed  eta",
        f"{JOB['job_id']}  running  healthcare_billing       0  in 12 min",
    ]


def test_terminal_of_80_columns_gets_short_ids():
    """A row stays in one line, which fits."""
    lines = render_terminal(Listing([JOB], tuple(JOB), NOW)).splitlines()

    assert [line.split()[0] for line in lines] == ["job", "3f2a91c4"]
    assert max(map(len, lines)) <= 80


def test_narrow_terminal_gets_the_first_columns():
    """What may be cut ends in an ellipsis; what may not is left out from the right."""
    row = {"key": "temperature", "value": "a value that is long", "origin": "node:alpha"}
    lines = render_terminal(Listing([row], tuple(row), NOW), width=25).splitlines()

    assert [line.split() for line in lines] == [
        ["key", "value"],
        ["temperature", "a", "value", "tha…"],
    ]


@pytest.mark.parametrize(("room", "count"), [(3, 1), (10, 1), (16, 2), (17, 2), (100, 3)])
def test_columns_that_fit_are_counted(room, count):
    """With the gaps between them; one is always shown."""
    assert count_fitting([10, 4, 5], room) == count


def test_empty_list_says_so_on_a_terminal():
    """A pipe has the head line alone."""
    table = Listing([], ("node", "state"), NOW)

    assert render_terminal(table).split() == ["node", "state", "none"]
    assert render_plain(table).split() == ["node", "state"]


def test_markup_in_a_value_is_text():
    """A reason in brackets does not colour the table."""
    assert "[red]why" in render_plain(Listing([{"reason": "[red]why"}], ("reason",), NOW))


def test_one_thing_has_instants_both_ways():
    """Exact, and from now."""
    shown = render_plain(render_fields({"state": "done", "eta_p50_at": JOB["eta_p50_at"]}, NOW))

    assert shown.splitlines()[0] == "state       done"
    assert shown.endswith(" (in 12 min)\n")


def test_text_is_never_broken():
    """A token is copied whole."""
    file = io.StringIO()
    show("x" * 300, file)

    assert file.getvalue() == f"{'x' * 300}\n"


def test_error_has_its_remedy_in_a_second_line():
    """And no second line where there is none."""
    assert render_error(ClientError("a", remedy="b")) == "fleet: a\n       b\n"
    assert render_error(ClientError("a")) == "fleet: a\n"


@pytest.mark.parametrize(
    ("given", "said"), [("3f2b", "no job begins with 3f2b"), ("3f2a", "2 jobs begin with 3f2a")]
)
def test_beginning_of_no_or_several_ids_is_refused(given, said):
    """Which one is meant is not guessed."""
    with pytest.raises(ClientError, match=said):
        decide_id(given, ["3f2a91c4", "3f2a0000"], "job", "jobs")


class Paged(Remote):
    """An API that gives two rows at once."""

    def call(self, method, path, *, body=None, query=None):
        start = query.get("cursor", 0)
        end = start + min(query["limit"], 2)
        return {"nodes": list("abcde")[start:end], "next_cursor": end if end < 5 else None}


@pytest.mark.parametrize(
    ("most", "rows", "cursor"), [(None, "abcde", None), (3, "abc", 3), (9, "abcde", None)]
)
def test_pages_are_read_as_one(most, rows, cursor):
    """Whole, or as many rows as were asked for, whatever the API gives at once."""
    read = Paged("", "").read_all("/nodes", "nodes", most=most)

    assert read == {"nodes": list(rows), "next_cursor": cursor}


def test_markdown_is_plain_in_a_pipe():
    """As it was written."""
    assert render_plain(Markdown("# Title\n")) == "# Title\n"
