"""The views that tools outside this repository rely on: what DESIGN section 9 promises of SQL."""

from __future__ import annotations

import pytest
from psycopg.errors import InsufficientPrivilege

# Names that are fixed: more may come, none may go.
VIEWS = {
    "nodes": "node state role mode throttle_factor tokens_per_second jobs_done last_heartbeat_at",
    "jobs": "job_id state scenario wanted done rejected failed eta_p50_at eta_p90_at",
    "tasks": "task_id job_id node state attempt",
    "conversations": "conversation_id job_id task_id node model scenario state realness coherence"
    " naturalness healthcare_valid prompt_tokens completion_tokens turns created_at",
    "turns": "conversation_id position speaker text",
    "hardware": "time node cpu_utilization_ratio cpu_temperature_celsius memory_used_bytes",
    "gpu": "time node gpu utilization_ratio temperature_celsius memory_used_bytes"
    " memory_total_bytes power_watts",
    "disks": "time node mount free_bytes total_bytes",
    "network": "time node device receive_bytes_total transmit_bytes_total",
    "temperatures": "time node sensor temperature_celsius",
    "peer_bandwidth": "time node peer round_trip_seconds throughput_bytes_per_second",
    "llm_requests": "time node model prompt_tokens completion_tokens duration_seconds"
    " time_to_first_token_seconds outcome",
    "quality_1h": "time node samples accepted rejected",
    "rejections": "conversation_id reason stage evidence",
    "events": "time node severity kind message",
    "alerts": "time node alertname severity state",
    "alert_deliveries": "time alertname receiver status",
    "alert_notes": "time alertname kind author comment",
    "alert_noise": "day alertname times_fired firing_seconds notifications short_lived",
    "silences": "silence_id state matchers reason owner ends_at ended_by",
    "sessions": "session_id state created_at expires_at",
    "audit": "time actor role action target outcome",
    "config": "key scope value",
}
# Readings of each rollup; it has <reading>_avg, _min and _max of them, by the minute and the hour.
ROLLUPS = {
    "hardware": "cpu_utilization_ratio cpu_temperature_celsius memory_used_bytes",
    "gpu": "utilization_ratio temperature_celsius memory_used_bytes power_watts",
    "generation": "duration_seconds time_to_first_token_seconds prompt_tokens completion_tokens",
}
KINDS = ("avg", "min", "max")
READERS = ("fleet_grafana", "fleet_analyst")
COLUMNS = """
SELECT c.relname AS view, array_agg(a.attname::text ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind = 'v' GROUP BY 1"""
# What the views read, column by column: a view's rule depends on each column that it names.
SOURCES = """
SELECT DISTINCT v.relname AS view, t.relname AS table_name, a.attname AS column_name
FROM pg_class v JOIN pg_rewrite r ON r.ev_class = v.oid
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refobjsubid > 0
JOIN pg_class t ON t.oid = d.refobjid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE v.relnamespace = 'analytics'::regnamespace AND d.refobjid <> v.oid"""
SECRETS = {("turns", "text"), ("conversations", "persona"), ("tasks", "persona"),
           ("users", "password_hash"), ("tokens", "token_hash"), ("sessions", "refresh_hash"),
           ("audit", "source"), ("nodes", "scrape_address"), ("nodes", "node_id"),
           ("prompts", "template"), ("peer_agents", "secret"),
           ("peer_agents", "address")}  # fmt: skip


@pytest.fixture
def columns(fleet):
    """The columns of each view of analytics, in their order."""
    return {row["view"]: row["columns"] for row in fleet.rows(COLUMNS)}


@pytest.mark.parametrize("view", VIEWS)
def test_promised_columns_are_there(view, columns):
    """Each view has what was promised of it."""
    assert set(VIEWS[view].split()) - set(columns[view]) == set()


@pytest.mark.parametrize("unit", ["1m", "1h"])
@pytest.mark.parametrize("rollup", ROLLUPS)
def test_rollups_have_three_columns_a_reading(rollup, unit, columns):
    """How many rows went in, and of each reading the average, the lowest and the highest."""
    promised = {f"{reading}_{what}" for reading in ROLLUPS[rollup].split() for what in KINDS}

    assert promised | {"samples"} <= set(columns[f"{rollup}_{unit}"])


def test_every_rollup_has_samples(columns):
    """Also those that nobody was promised; an average comes with its lowest and highest."""
    for view in (name for name in columns if name.endswith(("_1m", "_1h"))):
        readings = {c.rpartition("_")[0] for c in columns[view] if c.endswith("_avg")}
        assert {f"{r}_{what}" for r in readings for what in KINDS} <= set(columns[view]), view
        assert "samples" in columns[view] or view == "yield_1h"


def test_views_by_time_begin_with_time_and_node(columns):
    """Whoever knows one of them knows where to begin with the others; audit is about people."""
    by_time = {view for view, names in columns.items() if "time" in names} - {"audit"}

    assert by_time >= {"hardware", "gpu_1h", "events", "alerts", "llm_requests", "quality_1h"}
    assert [view for view in by_time if columns[view][:2] != ["time", "node"]] == []


def test_no_view_reads_a_secret(fleet):
    """Raw words, persona values, hashes of secrets and addresses are read by no view at all."""
    read = {(row["table_name"], row["column_name"]) for row in fleet.rows(SOURCES)}

    assert ("turns", "text_scrubbed") in read
    assert read & SECRETS == set()


def can_read(fleet, view, user):
    """Whether the view answers that user, who has no rights on what it reads."""
    try:
        fleet.rows(f"SELECT * FROM analytics.{view} LIMIT 1", user=user)
    except InsufficientPrivilege:
        return False
    return True


@pytest.mark.parametrize("user", READERS)
def test_readers_may_read_each_promised_view(user, fleet):
    """Grafana and analysts, with rights on the view alone."""
    refused = [view for view in VIEWS if not can_read(fleet, view, user)]

    assert refused == []


@pytest.mark.parametrize("user", READERS)
def test_raw_words_are_shown_nowhere(user, fleet):
    """Until a turn is scrubbed analysts see nothing of it, then what is left of it."""
    conversation = fleet.write(("Hello, Marisol Quintana here.", "Thank you, goodbye."))
    seen = fleet.rows("SELECT text FROM analytics.turns", user=user)
    worker = "00000000-0000-0000-0000-000000000001"
    fleet.rows("SELECT * FROM fleet.claim_judgements(%s, 1)", worker, user="alpha")
    fleet.rows(
        "SELECT fleet.store_verdict(%s, %s, NULL, NULL, NULL, 'x', %s, 'rules', 8, 8)",
        conversation, worker, ["Hello, [PII] here.", "Thank you, goodbye."], user="alpha",
    )  # fmt: skip

    texts = [row["text"] for row in fleet.rows("SELECT text FROM analytics.turns", user=user)]

    assert seen == []
    assert texts == ["Hello, [PII] here.", "Thank you, goodbye."]


def test_alerts_show_no_address(fleet):
    """One row each time that an alert fired; the address of the target is left out."""
    fleet.rows(
        "INSERT INTO control.alerts (labels, summary, started_at, ended_at) VALUES"
        """ ('{"alertname": "GpuHot", "severity": "critical", "node": "alpha", "gpu": "0","""
        """ "instance": "10.0.0.7:9835", "job": "fleet-node"}', 'A GPU is too hot.',"""
        " now() - interval '1 hour', now())"
    )

    (alert,) = fleet.rows("SELECT * FROM analytics.alerts", user="fleet_analyst")

    assert (alert["alertname"], alert["severity"], alert["state"]) == (
        "GpuHot", "critical", "resolved")  # fmt: skip
    assert alert["labels"] == {"gpu": "0"}
