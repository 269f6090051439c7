"""A fleet that has been used for a month, made by SQL: past the triggers, then counted."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fleet_orchestrator.generation import catalogue
from psycopg.types.numeric import Int8

if TYPE_CHECKING:
    from fleet_timescale.connection import Connection


@dataclass(frozen=True)
class Amount:
    """How much of each there is; of jobs and nodes each has the same part."""

    nodes: int = 100
    jobs: int = 50
    written: int = 1_000_000
    waiting: int = 500_000


JOBS = """
INSERT INTO fleet.jobs (mix, wanted, split, min_turns, max_turns, state, seed, requested_by,
  created_at)
SELECT '{"complaint": 1}', total, total, 6, 8, 'running', n, 'benchmark',
  now() - interval '30 days' + n * interval '1 second'
FROM generate_series(1, %(jobs)s) n, (SELECT (%(written)s + %(waiting)s) / %(jobs)s AS total) t"""
NODES = """
INSERT INTO fleet.nodes (node, node_id, worker_state, last_heartbeat_at)
SELECT 'bench-' || n, gen_random_uuid(), 'running', now() + interval '5 minutes'
FROM generate_series(1, %(nodes)s) n"""
WRITTEN = """
INSERT INTO fleet.tasks (job_id, position, place, scenario, seed, state, attempt, node, prompt_id,
  persona, created_at, claimed_at, started_at, finished_at)
SELECT j.job_id, n, n, s.names[1 + n %% cardinality(s.names)], n, 'done', 1,
  'bench-' || 1 + (n * 7 + j.seed) %% %(nodes)s, (SELECT min(prompt_id) FROM fleet.prompts), '{}',
  t.at, t.at, t.at, t.at
FROM generate_series(1, %(written)s / %(jobs)s) n CROSS JOIN fleet.jobs j,
  LATERAL (SELECT now() - interval '30 days' * (1 - n * %(jobs)s / %(written)s::float8)) AS t(at),
  (SELECT array_agg(scenario ORDER BY scenario) AS names FROM fleet.scenarios) s"""
WAITING = """
WITH made AS (
  INSERT INTO fleet.tasks (job_id, position, place, scenario, seed, prompt_id, persona)
  SELECT j.job_id, n, n, 'complaint', n, (SELECT min(prompt_id) FROM fleet.prompts), '{}'
  FROM generate_series(%(written)s / %(jobs)s + 1, (%(written)s + %(waiting)s) / %(jobs)s) n
    CROSS JOIN fleet.jobs j RETURNING task_id)
INSERT INTO fleet.turns (task_id, position, speaker, text, attempt)
SELECT task_id, 1, 'agent', 'How may I help you?', 0 FROM made"""
STORED = """
INSERT INTO fleet.conversations (task_id, job_id, node, model, scenario, prompt_id, persona, state,
  turns, prompt_tokens, completion_tokens, generation_seconds, content_hash, created_at, judged_by,
  judged_at)
SELECT task_id, job_id, node, 'tiny', scenario, prompt_id, '{}',
  CASE WHEN position %% 10 = 0 THEN 'rejected' ELSE 'accepted' END::fleet.conversation_state, 8,
  2000, 300, 12, sha256(convert_to(task_id::text, 'UTF8')), finished_at, node, finished_at
FROM fleet.tasks WHERE state = 'done' ORDER BY finished_at"""
QUEUE = {
    "nodes": NODES,
    "jobs": JOBS,
    "tasks that have ended": WRITTEN,
    "tasks that wait": WAITING,
    "conversations": STORED,
}
GRADES = """
INSERT INTO fleet.grades (conversation_id, judge, checks_passed, checks_total, created_at)
SELECT conversation_id, 'checks', CASE state WHEN 'accepted' THEN 13 ELSE 12 END, 13, judged_at
FROM fleet.conversations ORDER BY created_at"""
REJECTIONS = """
INSERT INTO fleet.rejections (conversation_id, reason, stage, evidence, created_at)
SELECT conversation_id, (ARRAY['repetition', 'cut_off', 'goal_missed'])[ceil(random() * 3)],
  'checks', 'turn 3: [PII]', judged_at
FROM fleet.conversations WHERE state = 'rejected' ORDER BY created_at"""
TURNS = """
INSERT INTO fleet.turns (task_id, position, speaker, text, text_scrubbed, attempt)
SELECT c.task_id, n, (ARRAY['customer', 'agent'])[1 + n %% 2], t.text, t.text, 1
FROM fleet.conversations c CROSS JOIN generate_series(1, 8) n,
  LATERAL (SELECT 'A sentence of some sixty characters, as people say it. ' || n) AS t(text)"""
HARDWARE = """
INSERT INTO telemetry.hardware (time, node, cpu_utilization_ratio, cpu_temperature_celsius,
  memory_used_bytes, memory_total_bytes, mode, throttle_factor)
SELECT t, 'bench-' || n, 0.5, 60, 8e9, 16e9, 'idle', 1
FROM generate_series(now() - interval '1 hour', now() + interval '5 minutes', '5 seconds') t,
  generate_series(1, %(nodes)s) n"""
GPU = """
INSERT INTO telemetry.gpu (time, node, gpu, temperature_celsius, memory_total_bytes)
SELECT time, node, '0', 60, 12e9 FROM telemetry.hardware"""
CALLS = """
INSERT INTO telemetry.llm_requests (time, node, request_id, task_id, model, prompt_tokens,
  completion_tokens, duration_seconds, outcome)
SELECT c.created_at - n * interval '1 second', c.node, gen_random_uuid(), c.task_id, 'tiny', 250,
  40, 1.5, 'ok'
FROM fleet.conversations c CROSS JOIN generate_series(1, 8) n
WHERE c.created_at > now() - interval '1 day'"""
CALLS_BY_HOUR = """
INSERT INTO telemetry.generation_1h (time, node, model, samples, completion_tokens_sum,
  duration_seconds_avg)
SELECT date_bin('1 hour', created_at, '2000-01-01 00:00:00+00'), node, 'tiny', count(*) * 8,
  sum(completion_tokens), 1.5
FROM fleet.conversations WHERE created_at < date_trunc('hour', now()) GROUP BY 1, 2"""
EVENTS = """
INSERT INTO telemetry.events (time, node, severity, kind, message)
SELECT now() - n * interval '5 minutes', 'bench-1', 'info', 'program_started', 'The worker runs.'
FROM generate_series(1, 8000) n"""
AUDIT = """
SELECT count(control.write_audit('ada', 'admin', 'login', 'pause', 'fleet', 'done', 'why', NULL))
FROM generate_series(1, 5000)"""
# Three a day and node; the last four still fire.
ALERTS = """
INSERT INTO control.alerts (labels, summary, started_at, notified_at, ended_at)
SELECT jsonb_build_object('node', a.nodes[1 + n %% %(nodes)s],
    'alertname', (ARRAY['CpuHot', 'GpuHot', 'ExporterSilent', 'DiskFillingUp'])[1 + n %% 4],
    'severity', (ARRAY['critical', 'critical', 'warning', 'warning'])[1 + n %% 4]),
  'It is too hot.', t.at, t.at + interval '1 second',
  CASE WHEN n <= a.total - 4 THEN t.at + interval '2 minutes' END
FROM (SELECT 90 * %(nodes)s AS total, array_agg(node) AS nodes FROM fleet.nodes) a
  CROSS JOIN generate_series(1, a.total) n,
  LATERAL (SELECT now() - interval '30 days' * (1 - n / (1.0 + a.total))) AS t(at)"""
DELIVERIES = """
INSERT INTO control.alert_deliveries (alert_id, time, receiver, status)
SELECT alert_id, coalesce(CASE status WHEN 'firing' THEN notified_at ELSE ended_at END, now()),
  receiver, status
FROM control.alerts, unnest(ARRAY['critical-mail', 'critical-sms']) receiver,
  unnest(ARRAY['firing', 'resolved']) status
WHERE status = 'firing' OR ended_at IS NOT NULL ORDER BY alert_id"""
NOTES = """
INSERT INTO control.alert_notes (alert_id, time, kind, author)
SELECT alert_id, started_at + interval '1 minute', 'acknowledgement', 'ada'
FROM control.alerts WHERE alert_id %% 3 = 0"""
SILENCES = """
INSERT INTO control.silences (silence_id, matchers, owner, reason, alert_id, created_at, starts_at,
  ends_at)
SELECT gen_random_uuid(), '[{"name": "alertname", "value": "CpuHot", "isRegex": false,
  "isEqual": true}]', 'ada', 'A fan was ordered.', alert_id, started_at, started_at,
  started_at + interval '1 day'
FROM control.alerts WHERE alert_id %% 30 = 0"""
# A past leaves its nodes switched off on purpose.
AWAKE = """
UPDATE fleet.nodes SET is_expected = true, worker_state = 'running',
  last_heartbeat_at = now() + interval '5 minutes'"""
TOLD = {
    "alerts": ALERTS,
    "deliveries of alerts": DELIVERIES,
    "acknowledgements": NOTES,
    "silences": SILENCES,
}
MONTH = {
    **QUEUE,
    "grades": GRADES,
    "rejections": REJECTIONS,
    "turns": TURNS,
    "readings of machines": HARDWARE,
    "readings of GPUs": GPU,
    "calls": CALLS,
    "calls by the hour": CALLS_BY_HOUR,
    "events": EVENTS,
    "audit": AUDIT,
    **TOLD,
}


def fill(owner: Connection, steps: dict[str, str], amount: Amount) -> None:
    """Run the steps on a migrated database; then it is counted, vacuumed and analysed."""
    catalogue.load(owner)
    numbers = {name: Int8(value) for name, value in asdict(amount).items()}
    owner.execute("SET session_replication_role = replica")
    for name, sql in steps.items():
        since = time.monotonic()
        owner.execute(sql.encode(), numbers)
        say(f"{name}: {time.monotonic() - since:.0f} s")
    owner.execute("RESET session_replication_role")
    owner.execute("SELECT fleet.recount()")
    owner.execute("VACUUM ANALYZE")
    owner.execute("CHECKPOINT")


def say(line: str) -> None:
    """Tell whoever watches how far it is; the table alone goes to standard output."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
