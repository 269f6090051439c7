"""
Panels about what was written.

Do the checks pass, why not, how much is kept at what cost, and the latest texts (scrubbed).
"""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.datasources import Json, sql
from fleet_dashboards.looks import KEPT, VERDICTS
from fleet_dashboards.panels import (
    AGO,
    COLOURED,
    GAUGE,
    HIDDEN,
    LONG,
    Head,
    absent,
    override,
    share_bar,
    stat,
    table,
    thresholds,
)


def checks() -> Json:
    """Return the share of conversations that passed all checks, over all and by scenario."""
    head = Head(
        10,
        "Checks passed",
        "Share of the conversations written in the chosen time of which every check passed, and of "
        "how many. Source: analytics.conversations, checks_passed = checks_total.",
        "string",
        "no judged conversation to show",
    )
    query = sql("""
        SELECT coalesce(scenario, 'all scenarios') AS "Scenario",
          avg((checks_passed = checks_total)::integer)::double precision AS "Passed",
          count(*) AS "Of"
        FROM analytics.conversations WHERE $__timeFilter(created_at)
        GROUP BY ROLLUP (scenario) HAVING count(*) > 0
        ORDER BY grouping(scenario) DESC, scenario
        """)
    overrides = [
        share_bar("Passed", KEPT),
        override("Of", unit="locale", custom__width=70),
    ]
    return table(head, query, overrides=overrides)


def kept(number: int = 19) -> Json:
    """Return the share of the judged conversations that was accepted."""
    head = Head(
        number,
        "Yield",
        "Accepted of the conversations judged in the chosen time, in whole hours. "
        "Source: analytics.yield_1h; over the last hour also the recording rule "
        "fleet:yield:ratio1h.",
        "percentunit",
        "unknown: the database does not answer",
    )
    query = sql("""
        SELECT sum(accepted)::double precision / nullif(sum(judged), 0) AS "accepted of judged"
        FROM analytics.yield_1h
        WHERE time > $__timeFrom()::timestamptz - interval '1 hour'
          AND time <= $__timeTo()::timestamptz
        """)
    return stat(
        head,
        query,
        decimals=0,
        min=0,
        max=1,
        thresholds=KEPT,
        mappings=absent("nothing judged yet"),
    )


def cost() -> Json:
    """Return what an accepted conversation costs, lost work included."""
    head = Head(
        20,
        "Cost of an accepted conversation",
        "Completion tokens and seconds of all calls to model servers in the chosen time, those of "
        "refused turns, rejected conversations and given-up tasks among them, for each accepted "
        "conversation. Source: analytics.yield_1h; over the last hour also the recording rules "
        "fleet:completion_tokens_per_accepted:ratio1h and "
        "fleet:generation_seconds_per_accepted:ratio1h.",
        "locale",
        "unknown: the database does not answer",
    )
    query = sql("""
        SELECT sum(completion_tokens)::double precision / nullif(sum(accepted), 0) AS tokens,
          sum(generation_seconds) / nullif(sum(accepted), 0) AS "time of calls"
        FROM analytics.yield_1h
        WHERE time > $__timeFrom()::timestamptz - interval '1 hour'
          AND time <= $__timeTo()::timestamptz
        """)
    return stat(
        head,
        query,
        decimals=0,
        thresholds=thresholds("text"),
        mappings=absent("none accepted yet"),
        overrides=[override("time of calls", unit="s", decimals=1)],
    )


def quality(number: int = 33) -> Json:
    """Return the average scores of the judge; without one there are none, and that is said."""
    head = Head(
        number,
        "Average quality",
        "Averages of the judge's scores (1 to 10) of the conversations written in the chosen time, "
        "and the share of valid ones among those whose healthcare content was judged. Without a "
        "judge only the checks look, which give no scores. Source: analytics.conversations.",
        "none",
        "unknown: the database does not answer",
    )
    query = sql("""
        SELECT avg(realness)::double precision AS realness,
          avg(coherence)::double precision AS coherence,
          avg(naturalness)::double precision AS naturalness,
          avg(healthcare_valid::integer)::double precision AS "healthcare valid"
        FROM analytics.conversations WHERE $__timeFilter(created_at)
        """)
    valid = override("healthcare valid", unit="percentunit", decimals=0)
    return stat(
        head,
        query,
        decimals=1,
        mappings=absent("no judge"),
        thresholds=thresholds("text"),
        overrides=[valid],
    )


def rejections() -> Json:
    """Return why conversations were rejected, the commonest reason first."""
    head = Head(
        15,
        "Rejections by reason",
        "Conversations rejected in the chosen time; each has one reason. "
        "Source: analytics.rejections.",
        "string",
        "no rejection to show",
    )
    query = sql("""
        SELECT reason AS "Reason", stage AS "Stage", count(*) AS "Rejected"
        FROM analytics.rejections WHERE $__timeFilter(created_at)
        GROUP BY reason, stage ORDER BY count(*) DESC, reason LIMIT 12
        """)
    overrides = [
        override("Stage", custom__width=90),
        override(
            "Rejected",
            unit="locale",
            min=0,
            custom__cellOptions=GAUGE,
            thresholds=thresholds("orange"),
        ),
    ]
    return table(head, query, overrides=overrides)


def latest() -> Json:
    """Return the last conversations with their beginning; personal values are masked in it."""
    head = Head(
        16,
        "Last conversations",
        "The 20 newest judged conversations and how they begin; personal values are masked. "
        "Source: analytics.conversations, analytics.turns, analytics.rejections.",
        "string",
        "no judged conversation to show",
    )
    query = sql("""
        SELECT c.created_at AS "Written", c.scenario AS "Scenario", c.state AS "Verdict",
          r.reason AS "Reason", c.node AS "Node", c.turns AS "Turns",
          c.completion_tokens AS "Tokens",
          (SELECT left(string_agg(t.speaker || ': ' || t.text, '  ' ORDER BY t.position), 110)
              || ' ...'
           FROM analytics.turns t
           WHERE t.conversation_id = c.conversation_id AND t.position <= 3) AS "Begins",
          c.conversation_id::text AS conversation_id
        FROM (SELECT * FROM analytics.conversations ORDER BY created_at DESC LIMIT 20) c
        LEFT JOIN analytics.rejections r USING (conversation_id)
        ORDER BY c.created_at DESC
        """)
    overrides = [
        override("Written", **AGO),
        override("Scenario", custom__width=170, links=links.to_conversation()),
        override("Verdict", mappings=VERDICTS, custom__cellOptions=COLOURED, custom__width=90),
        override("Reason", custom__width=130, custom__inspect=True),
        override("Node", custom__width=100, links=links.to_node()),
        override("Turns", unit="locale", custom__width=70),
        override("Tokens", unit="locale", custom__width=80),
        override("Begins", noValue="not scrubbed", **LONG),
        override("conversation_id", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)
