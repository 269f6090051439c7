"""Panels about the work of one machine: what it writes, how fast, with which model, how well."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.datasources import RATE_STEP, Json, instant, series, sql
from fleet_dashboards.looks import CONTINUATIONS, SERVER_STATES
from fleet_dashboards.panels import (
    COLOURED,
    HIDDEN,
    LONG,
    Head,
    absent,
    lines,
    override,
    stat,
    table,
    thresholds,
    timeline,
    words,
)

# The gravest of a step wins, so that a short game shows on a long range too.
MODE_NUMBERS = {"idle": 1, "work": 2, "throttling": 3, "gaming": 4}


def writing() -> Json:
    """Return the conversations that the machine works on now."""
    head = Head(
        106,
        "Writes now",
        "The tasks (one conversation each) that its worker holds, and how far they are; a task "
        "that is not prolonged within its lease goes to another machine. "
        "Source: analytics.claimed_tasks.",
        "string",
        "nothing: the queue is empty, the fleet is paused, or the worker is held back",
    )
    query = sql("""
        SELECT task_id, scenario AS "Scenario", state AS "State",
          turns_written || ' of ' || min_turns || '-' || max_turns AS "Turns",
          attempt AS "Try", round(extract(epoch FROM now() - claimed_at)) AS "Held for",
          'of ' || wanted || ' by ' || requested_by AS "Job", job_id
        FROM analytics.claimed_tasks WHERE node = ${node:sqlstring} ORDER BY task_id
        """)
    states = words(running=("writing", "green"), claimed=("next", "blue"))
    overrides = [
        override("task_id", **HIDDEN),
        override("State", mappings=states, custom__cellOptions=COLOURED, custom__width=80),
        override("Turns", custom__width=100),
        override("Try", unit="locale", custom__width=60),
        override("Held for", unit="s", decimals=0, custom__width=90),
        override("Job", links=links.to_job(), **LONG),
        override("job_id", **HIDDEN),
    ]
    return table(head, query, overrides=overrides)


def speed() -> Json:
    """Return how fast the machine writes now."""
    head = Head(
        108,
        "Speed now",
        "Completion tokens a second over the last two minutes; time until the first token and of "
        "a whole call of 95 in 100 calls of the last 10 minutes. Source: Prometheus, "
        "fleet_llm_tokens_total, fleet_llm_time_to_first_token_seconds, "
        "fleet_llm_request_duration_seconds.",
        "s",
        "no call yet",
    )
    rate = 'sum(rate(fleet_llm_tokens_total{node="${node}",kind="completion"}[2m]))'
    tokens = override("tokens", unit="suffix:tok/s", decimals=1)
    return stat(
        head,
        instant(rate, "tokens", ref="A"),
        instant(_quantile("time_to_first_token", "10m"), "first token", ref="B"),
        instant(_quantile("request_duration", "10m"), "whole call", ref="C"),
        decimals=1,
        thresholds=thresholds("text"),
        overrides=[tokens],
    )


def _quantile(what: str, window: str, share: float = 0.95) -> str:
    buckets = f'fleet_llm_{what}_seconds_bucket{{node="${{node}}"}}'
    return f"histogram_quantile({share}, sum by (le) (rate({buckets}[{window}])))"


def written() -> Json:
    """Return what came out of the machine's work."""
    head = Head(
        109,
        "Conversations",
        "In the chosen time: written by this machine and accepted, rejected, and tries that "
        "failed; all: written since it was enrolled, judged or not. Source: "
        "analytics.conversations, analytics.task_failures, analytics.nodes.jobs_done.",
        "locale",
        "no such node",
    )
    query = sql("""
        SELECT
          (SELECT count(*) FROM analytics.conversations WHERE node = ${node:sqlstring}
            AND state = 'accepted' AND $__timeFilter(created_at)) AS "accepted",
          (SELECT count(*) FROM analytics.conversations WHERE node = ${node:sqlstring}
            AND state = 'rejected' AND $__timeFilter(created_at)) AS "rejected",
          (SELECT count(*) FROM analytics.task_failures WHERE node = ${node:sqlstring}
            AND $__timeFilter(time)) AS "failed tries",
          jobs_done AS "all"
        FROM analytics.nodes WHERE node = ${node:sqlstring}
        """)
    overrides = [
        override("accepted", thresholds=thresholds("green")),
        override("rejected", thresholds=thresholds("text", (1, "orange"))),
        override("failed tries", thresholds=thresholds("text", (1, "red"))),
    ]
    return stat(head, query, decimals=0, thresholds=thresholds("text"), overrides=overrides)


def server() -> Json:
    """Return the model server of the machine; the model leads to where it is assigned."""
    head = Head(
        111,
        "Model server",
        "What its worker last saw of its model server: which program it is, the model asked for, "
        "calls at once (slots), tokens that fit, and what it does with a begun answer (where it "
        "continues one, conversations are written line by line). Another model is assigned "
        "in Configuration. Source: analytics.endpoints, and analytics.nodes.continuation.",
        "string",
        "its worker has not told of a model server yet",
    )
    query = sql("""
        SELECT e.model AS "Model", e.state AS "State", e.kind AS "Server", e.slots AS "Slots",
          e.context_tokens AS "Context", n.continuation AS "Begun answer", e.changed_at AS "Since",
          round(extract(epoch FROM now() - e.checked_at)) AS "Seen"
        FROM analytics.endpoints e JOIN analytics.nodes n USING (node)
        WHERE e.node = ${node:sqlstring}
        """)
    assign = {
        "title": "Assign another model",
        "url": f"/d/{links.CONFIGURATION}?var-node=${{node}}",
        "targetBlank": False,
    }
    overrides = [
        override("Model", links=[assign], **LONG),
        override("State", mappings=SERVER_STATES, custom__cellOptions=COLOURED, custom__width=130),
        override("Slots", unit="locale", mappings=absent("not told"), custom__width=80),
        override("Context", unit="suffix: tokens", mappings=absent("not told"), custom__width=130),
        override("Begun answer", mappings=CONTINUATIONS, custom__width=110),
        override("Since", unit="dateTimeFromNow", custom__width=120),
        override("Seen", unit="s", decimals=0, custom__width=70),
    ]
    return table(head, query, overrides=overrides)


def modes() -> Json:
    """Return what the machine was used for over time."""
    head = Head(
        113,
        "Mode over time",
        "What the machine did: idle, work (its owner works), throttling (too hot), gaming; empty "
        "where its exporter did not answer. Of several modes in one step the last of this list is "
        "shown. Source: Prometheus, fleet_activity_mode; each reading: analytics.hardware.mode.",
        "string",
        "no reading in this time",
    )
    expr = " or ".join(
        f"{number} * (max by (node) (max_over_time("
        f'fleet_activity_mode{{node="${{node}}",mode="{mode}"}}[$__interval])) > 0)'
        for mode, number in sorted(MODE_NUMBERS.items(), key=lambda pair: -pair[1])
    )
    looks = words(
        **{
            "1": ("idle", "green"),
            "2": ("work", "blue"),
            "3": ("throttling", "orange"),
            "4": ("gaming", "purple"),
        }
    )
    return timeline(head, series(expr, "mode", step="15s"), mappings=looks)


def factor() -> Json:
    """Return the share of full speed that the worker was allowed over time."""
    head = Head(
        114,
        "Throttle factor",
        "Share of full speed that the worker was allowed: 100 % is unhindered, 0 % stops it. "
        "Source: Prometheus, fleet_throttle_factor; the same: analytics.hardware_1m.",
        "percentunit",
        "no reading in this time",
    )
    expr = 'min(fleet_throttle_factor{node="${node}"})'
    return lines(
        head, series(expr, "allowed"), min=0, max=1, decimals=0, custom={"fillOpacity": 20}
    )


def tokens() -> Json:
    """Return the speed of the machine over time, by model."""
    head = Head(
        115,
        "Tokens per second",
        "Completion tokens written a second, averaged over two minutes or more. "
        'Source: Prometheus, rate of fleet_llm_tokens_total{kind="completion"}; '
        "by minute and hour: analytics.generation_1m, generation_1h.",
        "suffix:tok/s",
        "no tokens in this time",
    )
    expr = """
        sum by (model) (
          rate(fleet_llm_tokens_total{node="${node}",kind="completion"}[$__rate_interval]))
        """
    return lines(head, series(expr, "{{model}}", step=RATE_STEP), min=0, decimals=1)


def first_token() -> Json:
    """Return how long calls waited for their first token."""
    head = Head(
        116,
        "Time to first token",
        "How long half of the calls, and 95 in 100, waited for their first token. Source: "
        "Prometheus, histogram_quantile of fleet_llm_time_to_first_token_seconds; each call: "
        "analytics.llm_requests.",
        "s",
        "no call in this time",
    )
    targets = [
        series(
            _quantile("time_to_first_token", "$__rate_interval", share),
            legend,
            ref=ref,
            step=RATE_STEP,
        )
        for ref, share, legend in (("A", 0.5, "half"), ("B", 0.95, "95 in 100"))
    ]
    return lines(head, *targets, min=0, decimals=1)
