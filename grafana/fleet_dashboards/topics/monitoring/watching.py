"""Panels about the watching itself: Prometheus, Alertmanager, and what people are told."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.datasources import Json, instant, series
from fleet_dashboards.panels import (
    COLOURED,
    FILLED,
    HIDDEN,
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

NO_ANSWER = "no answer from Prometheus"
UP = words(**{"1": ("up", "green"), "0": ("down", "red")})
CALM = thresholds("text", (1, "orange"))


def success() -> Json:
    """Return which share of the scrapes of each job succeeded."""
    head = Head(
        321,
        "Scrapes that succeeded",
        "Share of the scrapes of the last 5 minutes that were answered, by scrape job; a node that "
        "is switched off counts as well. Source: Prometheus, avg_over_time of up.",
        "percentunit",
        NO_ANSWER,
    )
    query = instant("avg by (job) (avg_over_time(up[5m]))", "{{job}}")
    colours = thresholds("red", (0.9, "yellow"), (0.99, "green"))
    return stat(head, query, decimals=0, min=0, max=1, thresholds=colours)


def store() -> Json:
    """Return how Prometheus itself is."""
    head = Head(
        322,
        "Prometheus",
        "Its series in memory, samples stored a second, the size of its blocks and of its memory, "
        "and whether it runs the configuration that was read last. Source: Prometheus, "
        "prometheus_tsdb_head_series, prometheus_tsdb_head_samples_appended_total, "
        "prometheus_tsdb_storage_blocks_bytes, process_resident_memory_bytes and "
        "prometheus_config_last_reload_successful.",
        "locale",
        NO_ANSWER,
    )
    targets = [
        instant("sum(prometheus_tsdb_head_series)", "series", ref="A"),
        instant("sum(rate(prometheus_tsdb_head_samples_appended_total[1m]))", "samples/s", ref="B"),
        instant("sum(prometheus_tsdb_storage_blocks_bytes)", "blocks", ref="C"),
        instant('sum(process_resident_memory_bytes{job="prometheus"})', "memory", ref="D"),
        instant("min(prometheus_config_last_reload_successful)", "configuration", ref="E"),
    ]
    configuration = words(**{"1": ("read", "green"), "0": ("refused", "red")})
    overrides = [
        override("blocks", unit="bytes", decimals=1),
        override("memory", unit="bytes", decimals=1),
        override("configuration", mappings=configuration),
    ]
    return stat(head, *targets, decimals=0, thresholds=thresholds("text"), overrides=overrides)


def targets() -> Json:
    """Return every scrape target, those that are down first."""
    head = Head(
        323,
        "Scrape targets",
        "Everything that Prometheus scrapes: whether the last scrape was answered, how long it "
        "took (4 s at most) and how many samples it gave. Source: Prometheus, up, "
        "scrape_duration_seconds and scrape_samples_scraped.",
        "string",
        NO_ANSWER,
    )
    queries = [
        instant(f"max by (job, node, instance) ({name})", ref=ref, form="table")
        for ref, name in zip(
            "ABC", ("up", "scrape_duration_seconds", "scrape_samples_scraped"), strict=True
        )
    ]
    changes = [
        MERGED,
        columns(
            Value_A="State",
            job="Job",
            node="Node",
            instance="Address",
            Value_B="Duration",
            Value_C="Samples",
        ),
        sorted_by("State"),
    ]
    overrides = [
        override("State", mappings=UP, custom__cellOptions=FILLED, custom__width=70),
        override("Node", links=links.to_node()),
        override("Address", custom__inspect=True),
        override(
            "Duration",
            unit="s",
            decimals=0,
            custom__width=90,
            custom__cellOptions=COLOURED,
            thresholds=thresholds("text", (1, "orange"), (3, "red")),
        ),
        override("Samples", unit="locale", custom__width=85),
    ]
    return table(head, *queries, transformations=changes, overrides=overrides)


def scrape_duration() -> Json:
    """Return how long the slowest scrape of each job took."""
    head = Head(
        324,
        "Slowest scrape",
        "The longest scrape of each job; at 4 s it is given up. "
        "Source: Prometheus, maximum of scrape_duration_seconds.",
        "s",
        NO_ANSWER,
    )
    expr = "max by (job) (max_over_time(scrape_duration_seconds[$__rate_interval]))"
    return lines(head, series(expr, "{{job}}"), legend="right", min=0)


GROUPS = {  # columns of the groups of rules, by the letter of their query
    "Took": "max by (rule_group) (prometheus_rule_group_last_duration_seconds)",
    "Of its interval": "max by (rule_group) (prometheus_rule_group_last_duration_seconds"
    " / prometheus_rule_group_interval_seconds)",
    "Missed": "sum by (rule_group) (increase(prometheus_rule_group_iterations_missed_total[1h]))",
    "Failed": "sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[1h]))",
}


def rules() -> Json:
    """Return the groups of rules: how long they take, and what was left out."""
    head = Head(
        325,
        "Groups of rules",
        "How long the last evaluation of each group took, as a share of its interval, evaluations "
        "missed in the last hour since the one before was still running, and rules that failed. "
        "An alert whose group misses evaluations comes late. Source: Prometheus, "
        "prometheus_rule_group_last_duration_seconds / prometheus_rule_group_interval_seconds, "
        "prometheus_rule_group_iterations_missed_total, prometheus_rule_evaluation_failures_total.",
        "string",
        NO_ANSWER,
    )
    # rule_group is the path of the file and the name of the group.
    queries = [
        instant(
            f'label_replace({expr}, "group", "$1", "rule_group", ".*;(.+)")', ref=ref, form="table"
        )
        for ref, expr in zip("ABCD", GROUPS.values(), strict=True)
    ]
    values = {f"Value_{ref}": name for ref, name in zip("ABCD", GROUPS, strict=True)}
    changes = [MERGED, columns(group="Group", **values, rule_group="File"), sorted_by("Group")]
    count = {"unit": "locale", "decimals": 0, "custom__width": 75}
    share = thresholds("text", (0.5, "orange"), (1, "red"))
    overrides = [
        override("Took", unit="s", decimals=1, custom__width=90),
        override(
            "Of its interval",
            unit="percentunit",
            decimals=1,
            custom__width=110,
            custom__cellOptions=COLOURED,
            thresholds=share,
        ),
        override("Missed", **count, custom__cellOptions=COLOURED, thresholds=CALM),
        override("Failed", **count, custom__cellOptions=COLOURED, thresholds=CALM),
        override("File", **HIDDEN),
    ]
    return table(head, *queries, transformations=changes, overrides=overrides)


def evaluation() -> Json:
    """Return how long the rules of each group take over time."""
    head = Head(
        326,
        "Evaluation of rules",
        "How long the evaluation of all groups took together; critical groups run each second. "
        "Source: Prometheus, sum of prometheus_rule_group_last_duration_seconds.",
        "s",
        NO_ANSWER,
    )
    expr = "sum(prometheus_rule_group_last_duration_seconds)"
    return lines(head, series(expr, "all groups"), min=0)


def alertmanager() -> Json:
    """Return whether Alertmanager is there, and what it holds."""
    head = Head(
        331,
        "Alertmanager",
        "Whether it answers, the alerts that it holds (suppressed: silenced or inhibited), active "
        "silences, and the alerts that Prometheus could not hand over in the last hour. "
        "Source: Prometheus, up, alertmanager_alerts, alertmanager_silences, "
        "prometheus_notifications_errors_total and prometheus_notifications_dropped_total.",
        "locale",
        NO_ANSWER,
    )
    lost = (
        "sum(increase(prometheus_notifications_errors_total[1h]))"
        " + sum(increase(prometheus_notifications_dropped_total[1h]))"
    )
    queries = [
        instant('min(up{job="alertmanager"})', "state", ref="A"),
        instant('sum(alertmanager_alerts{state="active"})', "active", ref="B"),
        instant('sum(alertmanager_alerts{state="suppressed"})', "suppressed", ref="C"),
        instant('sum(alertmanager_silences{state="active"})', "silences", ref="D"),
        instant(lost, "lost on the way", ref="E"),
    ]
    overrides = [
        override("state", mappings=UP),
        override("lost on the way", thresholds=thresholds("text", (0.5, "red"))),
    ]
    return stat(head, *queries, decimals=0, thresholds=thresholds("text"), overrides=overrides)


def deliveries() -> Json:
    """Return what Alertmanager sent by which way, and what failed."""
    head = Head(
        332,
        "Notifications",
        "Attempts of Alertmanager to tell somebody, and those that failed, by way (email, webhook, "
        "sns); ways without any in the last day are left out. Source: Prometheus, increase of "
        "alertmanager_notifications_total and alertmanager_notifications_failed_total.",
        "string",
        NO_ANSWER,
    )
    sent, failed = (f"alertmanager_notifications_{name}" for name in ("total", "failed_total"))
    used = f"(sum by (integration) (increase({sent}[1d])) > 0)"
    # Makes a row of its own, so that silence of Prometheus never reads as calm.
    calm = f"or label_replace(vector(NaN) unless on () {used}"
    calm += ', "integration", "nobody was told", "", "")'
    queries = [
        instant(
            f"sum by (integration) (increase({name}[{span}])) and {used} {calm}",
            ref=ref,
            form="table",
        )
        for ref, name, span in (
            ("A", sent, "1h"),
            ("B", failed, "1h"),
            ("C", sent, "1d"),
            ("D", failed, "1d"),
        )
    ]
    names = {
        "Value_A": "Last hour",
        "Value_B": "Failed (hour)",
        "Value_C": "Last day",
        "Value_D": "Failed (day)",
    }
    changes = [MERGED, columns(integration="Way", **names), sorted_by("Way")]
    count = {"unit": "locale", "decimals": 0, "custom__width": 105, "mappings": absent("-")}
    overrides = [
        override(name, **count)
        if not name.startswith("Failed")
        else override(
            name,
            **count,
            custom__cellOptions=COLOURED,
            thresholds=thresholds("text", (0.5, "red")),
        )
        for name in names.values()
    ]
    return table(head, *queries, transformations=changes, overrides=overrides)


def handed_over() -> Json:
    """Return how many alerts Prometheus hands over to Alertmanager, and how quickly."""
    head = Head(
        333,
        "From Prometheus to Alertmanager",
        "Alerts that Prometheus handed over a second; a firing alert is handed over again each "
        "minute. Errors and drops are those that never arrived. Source: Prometheus, rate of "
        "prometheus_notifications_sent_total, prometheus_notifications_errors_total and "
        "prometheus_notifications_dropped_total.",
        "ops",
        NO_ANSWER,
    )
    queries = [
        series(f"sum(rate(prometheus_notifications_{name}_total[$__rate_interval]))", name, ref=ref)
        for ref, name in zip("ABC", ("sent", "errors", "dropped"), strict=True)
    ]
    return lines(head, *queries, min=0, mappings=absent("-"))
