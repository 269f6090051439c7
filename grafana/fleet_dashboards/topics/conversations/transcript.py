"""Panels about one conversation, that of the variable `conversation`: words, verdict, making."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import VERDICTS
from fleet_dashboards.panels import (
    COLOURED,
    HIDDEN,
    LONG,
    Head,
    absent,
    override,
    stat,
    table,
    thresholds,
    tile,
    words,
)
from fleet_dashboards.variables import id_in, typed

# A link brings the id; without one it is the newest, and what is no id is no conversation.
THIS = """
    coalesce({id}, (SELECT conversation_id FROM analytics.conversations
      WHERE ${conversation:sqlstring} = '' ORDER BY created_at DESC LIMIT 1))
    """
GONE = "no such conversation: give its id at the top, or open one from a table"
SPEAKERS = words(agent=("agent", "blue"), customer=("customer", "purple"))


def variable() -> Json:
    """Return the field for the id of a conversation; empty, it is the newest."""
    return typed("conversation", "Conversation (id; empty: the newest)")


def _of_conversation(text: str) -> Json:
    return sql(text.replace("{this}", THIS.strip().replace("{id}", id_in("conversation"))))


def verdict() -> Json:
    """Return the tile that says whether it was kept."""
    head = Head(
        220,
        "Verdict",
        "Whether it was accepted or rejected. Source: analytics.conversations, state.",
        "string",
        GONE,
    )
    query = "SELECT state FROM analytics.conversations WHERE conversation_id = {this}"
    return tile(head, _of_conversation(query), "state", VERDICTS)


def scores() -> Json:
    """Return what the checks and the judge said in numbers."""
    head = Head(
        221,
        "Scores",
        "Checks passed of all, and the judge's scores (1 to 10); without a judge only the checks "
        "look, which give no scores. Source: analytics.conversations.",
        "none",
        GONE,
    )
    query = _of_conversation("""
        SELECT checks_passed::double precision / nullif(checks_total, 0) AS "checks passed",
          realness, coherence, naturalness, healthcare_valid::integer AS "healthcare valid"
        FROM analytics.conversations WHERE conversation_id = {this}
        """)
    is_valid = words(**{"1": ("yes", "green"), "0": ("no", "red")}) + absent("not judged")
    overrides = [
        override(
            "checks passed",
            unit="percentunit",
            decimals=0,
            thresholds=thresholds("orange", (1, "green")),
        ),
        override("healthcare valid", mappings=is_valid, decimals=0),
    ]
    return stat(
        head,
        query,
        decimals=1,
        mappings=absent("no judge"),
        thresholds=thresholds("text"),
        overrides=overrides,
    )


def figures() -> Json:
    """Return how long it is and what it cost."""
    head = Head(
        222,
        "Length and cost",
        "Turns that are kept, turns that a check refused while it was written, tokens of prompts "
        "and answers, seconds of all calls, and seconds from its end to its verdict. "
        "Source: analytics.conversations.",
        "locale",
        GONE,
    )
    query = _of_conversation("""
        SELECT turns, tries AS "refused turns", prompt_tokens AS "prompt tokens",
          completion_tokens AS "completion tokens", generation_seconds AS "time of calls",
          extract(epoch FROM judged_at - created_at)::double precision AS "to verdict"
        FROM analytics.conversations WHERE conversation_id = {this}
        """)
    overrides = [
        override("time of calls", unit="s", decimals=1),
        override("to verdict", unit="s", decimals=1),
    ]
    return stat(head, query, decimals=0, thresholds=thresholds("text"), overrides=overrides)


def turns() -> Json:
    """Return what was said, turn by turn."""
    head = Head(
        223,
        "What was said",
        "The turns in order; personal values are masked as [PII]. A turn without text is not "
        "scrubbed yet. Source: analytics.turns.",
        "string",
        "no turn to show: it was rejected before the first, or there is no such conversation",
    )
    query = _of_conversation("""
        SELECT position AS "Turn", speaker AS "Speaker", text AS "Words"
        FROM analytics.turns WHERE conversation_id = {this} ORDER BY position
        """)
    overrides = [
        override("Turn", unit="locale", custom__width=60),
        override("Speaker", mappings=SPEAKERS, custom__cellOptions=COLOURED, custom__width=100),
        override("Words", noValue="not scrubbed", **LONG),
    ]
    return table(head, query, overrides=overrides)


def about() -> Json:
    """Return where it comes from: a line a fact, with links to its job and its node."""
    head = Head(
        224,
        "Where it comes from",
        "Its order, machine, model, prompt and times. "
        "Source: analytics.conversations, analytics.jobs and analytics.tasks.",
        "string",
        GONE,
    )
    query = _of_conversation("""
        SELECT c.scenario AS "Scenario",
          format('%s of %s by %s', j.wanted, j.scenario, j.requested_by) AS "Job",
          c.node AS "Node", c.model AS "Model", c.prompt || ' ' || c.prompt_version AS "Prompt",
          t.attempt AS "Attempt", c.created_at AS "Written", c.judged_at AS "Judged",
          c.judged_by AS "Judged by", c.judge AS "Judge", c.job_id::text AS job_id
        FROM analytics.conversations c JOIN analytics.jobs j USING (job_id)
        JOIN analytics.tasks t ON t.task_id = c.task_id
        WHERE c.conversation_id = {this}
        """)
    overrides = [
        override("Job", links=links.to_job()),
        override("Node", links=links.to_node()),
        override("Attempt", unit="locale", custom__width=80),
        override("Written", unit="dateTimeAsIso", custom__width=165),
        override("Judged", unit="dateTimeAsIso", custom__width=165),
        override("Judged by", links=links.to_node("Judged by")),
        override("job_id", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)


def evidence() -> Json:
    """Return why it was rejected."""
    head = Head(
        225,
        "Why it was rejected",
        "The one reason of a rejected conversation, the stage that found it, and its evidence. "
        "Source: analytics.rejections.",
        "string",
        "it was not rejected",
    )
    query = _of_conversation("""
        SELECT reason AS "Reason", stage AS "Stage", evidence AS "Evidence"
        FROM analytics.rejections WHERE conversation_id = {this}
        """)
    overrides = [
        override("Reason", custom__width=170),
        override("Stage", custom__width=90),
        override("Evidence", **LONG),
    ]
    return table(head, query, overrides=overrides)


def tries() -> Json:
    """Return the turns that a check refused while it was written."""
    head = Head(
        226,
        "Refused turns",
        "Turns that a check refused before they were stored, so that they were written anew; their "
        "words are kept nowhere. Begun anew: how often the conversation had started over by then. "
        "Source: analytics.turn_tries.",
        "string",
        "no turn was refused",
    )
    query = _of_conversation("""
        SELECT y.position AS "Turn", y.try AS "Try", y.restart AS "Begun anew",
          y.reason AS "Reason", y.completion_tokens AS "Tokens", y.duration_seconds AS "Time"
        FROM analytics.turn_tries y JOIN analytics.conversations c ON c.task_id = y.task_id
        WHERE c.conversation_id = {this} ORDER BY y.restart, y.position, y.try
        """)
    overrides = [
        *(override(name, unit="locale", custom__width=80) for name in ("Turn", "Try", "Tokens")),
        override("Begun anew", unit="locale", custom__width=95),
        override("Time", unit="s", decimals=1, custom__width=80),
    ]
    return table(head, query, overrides=overrides)


def calls() -> Json:
    """Return the calls to model servers that were made for it."""
    head = Head(
        227,
        "Calls to the model server",
        "Each call that was made for it, also failed ones and those of earlier attempts; they are "
        "kept for 30 days. Source: analytics.llm_requests.",
        "string",
        "its calls are no longer kept",
    )
    query = _of_conversation("""
        SELECT r.time AS "Ended", r.node AS "Node", r.outcome AS "Outcome",
          r.prompt_tokens AS "Prompt tokens", r.completion_tokens AS "Tokens",
          r.time_to_first_token_seconds AS "First token", r.duration_seconds AS "Time"
        FROM analytics.llm_requests r JOIN analytics.conversations c ON c.task_id = r.task_id
        WHERE c.conversation_id = {this} ORDER BY r.time LIMIT 200
        """)
    seconds = {"unit": "s", "decimals": 1, "custom__width": 90}
    outcomes = words(
        ok=("ok", "green"),
        invalid=("not usable", "orange"),
        aborted=("cut off", "orange"),
        error=("error", "red"),
    )
    overrides = [
        override("Ended", unit="dateTimeAsIso", custom__width=165),
        override("Node", links=links.to_node()),
        override("Outcome", mappings=outcomes, custom__cellOptions=COLOURED, custom__width=90),
        override("Prompt tokens", unit="locale", custom__width=115),
        override("Tokens", unit="locale", custom__width=80),
        override("First token", **seconds),
        override("Time", **seconds),
    ]
    return table(head, query, overrides=overrides)


def neighbours() -> Json:
    """Return the conversations of the same job before and after it, each a link."""
    head = Head(
        228,
        "Before and after it",
        "The conversations of the same job that were written before and after this one; the "
        "scenario opens one. Source: analytics.conversations.",
        "string",
        "it is the only one of its job",
    )
    query = _of_conversation("""
        WITH this AS (SELECT job_id, created_at, conversation_id FROM analytics.conversations
                      WHERE conversation_id = {this})
        SELECT n.side AS "Which", n.scenario AS "Scenario", n.state AS "Verdict",
          n.created_at AS "Written", n.conversation_id::text AS conversation_id
        FROM (
          (SELECT 'previous' AS side, c.* FROM analytics.conversations c
           WHERE c.job_id = (SELECT job_id FROM this) AND (c.created_at, c.conversation_id)
             < ((SELECT created_at FROM this), (SELECT conversation_id FROM this))
           ORDER BY c.created_at DESC, c.conversation_id DESC LIMIT 1)
          UNION ALL
          (SELECT 'next', c.* FROM analytics.conversations c
           WHERE c.job_id = (SELECT job_id FROM this) AND (c.created_at, c.conversation_id)
             > ((SELECT created_at FROM this), (SELECT conversation_id FROM this))
           ORDER BY c.created_at, c.conversation_id LIMIT 1)) n
        """)
    overrides = [
        override("Which", custom__width=85),
        override("Scenario", links=links.to_conversation()),
        override("Verdict", mappings=VERDICTS, custom__cellOptions=COLOURED, custom__width=90),
        override("Written", unit="dateTimeFromNow", custom__width=140),
        override("conversation_id", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)
