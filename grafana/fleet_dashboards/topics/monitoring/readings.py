"""Panels about the way of a reading: what it costs a machine, and whether it arrives."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.datasources import Json, instant, series, sql
from fleet_dashboards.panels import (
    AGO,
    COLOURED,
    FILLED,
    LONG,
    MERGED,
    Head,
    absent,
    columns,
    lines,
    override,
    sorted_by,
    stat,
    table,
    thresholds,
    words,
)

NO_READING = "no reading to show"
NO_ANSWER = "unknown: the database does not answer"


def _by_node(number: int, title: str, description: str, expr: str) -> Json:
    head = Head(number, title, description, "s", NO_READING)
    node = links.to_node_of_series()
    return lines(head, series(expr, "{{node}}"), legend="right", min=0, links=node)


def cost() -> Json:
    """Return how long reading all sensors takes each machine."""
    return _by_node(
        336,
        "Reading all sensors takes",
        "Time that the exporter of each machine took for its last tick, all sensor families "
        "together; a tick is due every 5 s. Source: Prometheus, sum of "
        "fleet_collector_duration_seconds.",
        "sum by (node) (fleet_collector_duration_seconds)",
    )


def late_ticks() -> Json:
    """Return how late the ticks of each machine began."""
    return _by_node(
        337,
        "Ticks begin late by",
        "How late the worst tick of each machine began after its due time: a machine that is too "
        "busy to read its sensors. Source: Prometheus, maximum of fleet_tick_late_seconds.",
        "max by (node) (max_over_time(fleet_tick_late_seconds[$__rate_interval]))",
    )


def lag() -> Json:
    """Return how old readings are when they are in the database."""
    return _by_node(
        341,
        "Readings reach the database after",
        "Age of the oldest reading that is not in the database yet, else how long the last one "
        "took. Source: Prometheus, maximum of fleet_ingest_lag_seconds.",
        "max by (node) (fleet_ingest_lag_seconds)",
    )


def collectors() -> Json:
    """Return the sensor families that are broken or slow."""
    head = Head(
        338,
        "Sensor families",
        "Broken families first, then the slowest of all machines, 30 at most: whether it could be "
        "read, and how long that took. Source: Prometheus, fleet_collector_up and "
        "fleet_collector_duration_seconds.",
        "string",
        NO_READING,
    )
    took = "max by (node, collector) (fleet_collector_duration_seconds)"
    state = "max by (node, collector) (fleet_collector_up)"
    shown = f"and on (node, collector) (topk(30, {took}) or {state} == 0)"
    queries = [
        # The rows keep the order of the first query within a state.
        instant(f"sort_desc({took} {shown})", ref="A", form="table"),
        instant(f"{state} {shown}", ref="B", form="table"),
    ]
    changes = [
        MERGED,
        columns(Value_B="State", node="Node", collector="Family", Value_A="Took"),
        sorted_by("State"),
    ]
    states = words(**{"1": ("read", "green"), "0": ("broken", "red")})
    overrides = [
        override("Node", links=links.to_node()),
        override("State", mappings=states, custom__cellOptions=FILLED, custom__width=80),
        override("Took", unit="s", decimals=1, custom__width=90),
    ]
    return table(head, *queries, transformations=changes, overrides=overrides)


def lost() -> Json:
    """Return what was not read, not stored or not shown in the last hour."""
    head = Head(
        339,
        "Lost in the last hour",
        "By machine: ticks that never began, readings that a device did not give or that no "
        "machine can have, rows that never reached the database, series left out of a page that "
        "was too long. Source: Prometheus, increase of fleet_ticks_missed_total, "
        "fleet_samples_dropped_total, fleet_spool_dropped_rows_total and "
        "fleet_page_series_cut_total.",
        "string",
        NO_READING,
    )
    names = {
        "Value_A": ("Ticks", "fleet_ticks_missed_total"),
        "Value_B": ("Readings", "fleet_samples_dropped_total"),
        "Value_C": ("Rows", "fleet_spool_dropped_rows_total"),
        "Value_D": ("Series", "fleet_page_series_cut_total"),
    }
    queries = [
        instant(f"sum by (node) (increase({name}[1h]))", ref=key[-1], form="table")
        for key, (_, name) in names.items()
    ]
    titles = {key: title for key, (title, _) in names.items()}
    changes = [MERGED, columns(node="Node", **titles), sorted_by("Node")]
    overrides = [
        override("Node", links=links.to_node()),
        *(
            override(
                title,
                unit="locale",
                decimals=0,
                custom__width=90,
                custom__cellOptions=COLOURED,
                thresholds=thresholds("text", (1, "orange")),
            )
            for title in titles.values()
        ),
    ]
    return table(head, *queries, transformations=changes, overrides=overrides)


def spool() -> Json:
    """Return how many rows wait on each machine for the database."""
    head = Head(
        342,
        "Rows waiting for the database",
        "Rows in the spool of each machine; they are sent as soon as the database answers, and are "
        "kept for 20 hours at most. Source: Prometheus, fleet_spool_rows.",
        "locale",
        NO_READING,
    )
    query = series("max by (node) (fleet_spool_rows)", "{{node}}")
    node = links.to_node_of_series()
    return lines(head, query, legend="right", min=0, links=node)


def storage_total() -> Json:
    """Return what the readings take on the disk of the database, and will take."""
    head = Head(
        344,
        "Readings in the database",
        "What all tables of readings take now, what a month adds, and what they take once the "
        "oldest rows go as fast as new ones come (levels that are kept for ever left out); and "
        "when that was measured, which the master does each hour. Source: analytics.storage.",
        "bytes",
        NO_ANSWER,
    )
    query = sql("""
        SELECT sum(bytes)::bigint AS now, sum(month_bytes)::bigint AS "each month",
          sum(full_bytes)::bigint AS "when full", max(measured_at) AS measured
        FROM analytics.storage
        """)
    overrides = [override("measured", unit="dateTimeFromNow", mappings=absent("not yet"))]
    return stat(
        head,
        query,
        fields="/.*/",
        decimals=1,
        mappings=absent("not known yet"),
        thresholds=thresholds("text"),
        overrides=overrides,
    )


def storage() -> Json:
    """Return what each table and level takes."""
    head = Head(
        345,
        "Tables of readings",
        "What each table and level (raw, minute, hour) takes now and will take, how far it goes "
        "back, and what is removed next. Source: analytics.storage, measured each hour.",
        "string",
        "not measured yet; the master does it each hour",
    )
    query = sql("""
        SELECT table_name AS "Table", level AS "Level", bytes AS "Size", rows AS "Rows",
          rows_per_day AS "Rows a day", days AS "Goes back",
          extract(epoch FROM keep)::double precision / 86400 AS "Is kept",
          full_bytes AS "When full", next_drop_at AS "Next removal", next_drop_bytes AS "Frees"
        FROM analytics.storage ORDER BY bytes DESC, table_name, level
        """)
    size = {"unit": "bytes", "decimals": 1, "custom__width": 95}
    overrides = [
        override("Level", custom__width=75),
        *(override(name, **size) for name in ("Size", "When full", "Frees")),
        *(override(name, unit="locale", decimals=0) for name in ("Rows", "Rows a day")),
        override("Goes back", unit="suffix: d", decimals=1, custom__width=95),
        override(
            "Is kept",
            unit="suffix: d",
            decimals=1,
            custom__width=90,
            mappings=absent("for ever"),
        ),
        override("Next removal", **AGO),
    ]
    return table(head, query, overrides=overrides)


def upkeep() -> Json:
    """Return who leads, and when readings were rolled up last."""
    head = Head(
        347,
        "Master",
        "Whether a master leads, how many terms there were, since when it leads, when a standby "
        "took over last, and when it had something to do last. Source: analytics.master and "
        "analytics.master_rounds.",
        "string",
        NO_ANSWER,
    )
    query = sql("""
        SELECT CASE WHEN is_leading THEN 'leads' ELSE 'nobody leads' END AS master, epoch AS term,
          leading_since AS since, failed_over_at AS "last failover",
          (SELECT max(told_at) FROM analytics.master_rounds) AS "last work"
        FROM analytics.master
        """)
    when = {"unit": "dateTimeFromNow", "mappings": absent("never")}
    overrides = [
        override(
            "master",
            mappings=words(leads=("leads", "green"), **{"nobody leads": ("nobody leads", "red")}),
        ),
        override("term", unit="locale"),
        *(override(name, **when) for name in ("since", "last failover", "last work")),
    ]
    return stat(head, query, fields="/.*/", thresholds=thresholds("text"), overrides=overrides)


def levels() -> Json:
    """Return how long ago all readings were rolled up."""
    head = Head(
        343,
        "Minutes and hours are behind by",
        "Time since the leading master last brought minutes and hours up to date, which it does "
        "each 30 s. Source: Prometheus, time() - fleet_levels_upkeep_timestamp_seconds.",
        "s",
        "no master leads",
    )
    expr = "time() - max(fleet_levels_upkeep_timestamp_seconds)"
    return lines(head, series(expr, "since the last upkeep"), min=0)


def rounds() -> Json:
    """Return what the master did last."""
    head = Head(
        348,
        "What the master did",
        "The last 100 rounds in which there was something to do, newest first. "
        "Source: analytics.master_rounds.",
        "string",
        "no round with something to do yet",
    )
    query = sql("""
        SELECT told_at AS "When", epoch AS "Term", sentence AS "What"
        FROM analytics.master_rounds ORDER BY told_at DESC LIMIT 100
        """)
    overrides = [
        override("When", **AGO),
        override("Term", unit="locale", custom__width=70),
        override("What", **LONG),
    ]
    return table(head, query, overrides=overrides)
