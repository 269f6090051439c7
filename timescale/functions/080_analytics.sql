-- All that people and Grafana read.

CREATE VIEW analytics.nodes AS
SELECT n.node, s.state, s.silent,
  array_to_string(n.roles, '+') AS role,
  h.mode, h.throttle_factor, h.cpu_utilization_ratio, h.cpu_temperature_celsius,
  (SELECT max(g.temperature_celsius) FROM telemetry.gpu g WHERE g.node = n.node AND g.time = h.time) AS gpu_temperature_celsius,
  h.memory_used_bytes, h.memory_total_bytes,
  (SELECT coalesce(sum(r.completion_tokens), 0) / 60.0 FROM telemetry.llm_requests r
   WHERE r.node = n.node AND r.time > now() - interval '60 seconds')::double precision AS tokens_per_second,
  coalesce(c.unjudged + c.accepted + c.rejected, 0) AS jobs_done,
  n.worker_state, n.llm_circuit_opened_at, m.model, m.continuation, n.node_class, n.vram_bytes,
  s.is_expected, n.agent_version, n.settings_version, n.enrolled_at, n.last_heartbeat_at
FROM fleet.nodes n
JOIN fleet.node_standing s USING (node)
LEFT JOIN fleet.node_counts c USING (node)
LEFT JOIN LATERAL (
  SELECT * FROM telemetry.hardware t WHERE t.node = n.node AND t.time BETWEEN now() - interval '1 minute' AND now() + interval '10 seconds'
  ORDER BY t.time DESC LIMIT 1) h ON true
LEFT JOIN LATERAL (
  SELECT * FROM fleet.node_models k WHERE k.node = n.node ORDER BY k.asked_at DESC LIMIT 1) m ON true
WHERE n.removed_at IS NULL;

CREATE VIEW analytics.jobs AS
WITH recent AS MATERIALIZED (
  -- What the machines that write now finish together in a second; how much that varies, and how little is known of it.
  SELECT sum(1 / p.seconds) AS rate, sum(p.variation ^ 2 / p.seconds) AS variance,
    sum(p.variation ^ 2 / (p.seconds ^ 2 * p.finished)) AS doubt, sum(p.finished) AS finished FROM fleet.node_pace p
), counts AS MATERIALIZED (
  SELECT * FROM fleet.job_counts
), kept AS MATERIALIZED (
  -- Of what was judged; 1 where nothing was.
  SELECT (coalesce(sum(accepted), 0) + 1)::double precision / (coalesce(sum(accepted + rejected), 0) + 1) AS ratio
  FROM fleet.scenario_counts
), open AS MATERIALIZED (
  SELECT o.job_id, o.priority, o.rank, CASE o.counts
    WHEN 'written' THEN o.wanted - coalesce(c.done + c.failed + c.cancelled, 0)
    -- As many as the lacking ones take: what was kept of the fleet's weighs as ten of its own.
    ELSE least(o.tasks_max - coalesce(c.done + c.failed + c.cancelled, 0), ceil(
      greatest(0, o.wanted - coalesce(c.accepted, 0) - coalesce(c.unjudged, 0) * k.ratio)
      * (coalesce(c.accepted + c.rejected + c.failed, 0) + 10) / (coalesce(c.accepted, 0) + 10 * k.ratio))) END::bigint AS remaining,
    CASE WHEN coalesce(o.model, o.node_class, o.vram_bytes_min::text) IS NULL THEN 1 ELSE
      (SELECT sum(1 / p.seconds) FROM fleet.node_pace p JOIN fleet.job_nodes f USING (node) WHERE f.job_id = o.job_id)
      / (SELECT r.rate FROM recent r) END AS share
  FROM fleet.jobs o LEFT JOIN counts c USING (job_id) CROSS JOIN kept k
  WHERE o.state IN ('pending', 'running') AND NOT o.is_paused AND (SELECT f.state FROM fleet.state f) = 'running'
), ahead AS (
  -- Jobs before this one in the queue are written first; those that it shares with get as much as it does meanwhile.
  -- Its own are written by the machines that it is for.
  SELECT q.job_id, q.remaining, q.before, q.before + q.remaining / q.share AS queued FROM (
    SELECT j.job_id, j.remaining, j.share, sum(CASE WHEN o.job_id = j.job_id THEN 0 WHEN o.priority = j.priority AND o.rank = j.rank
      THEN least(o.remaining, j.remaining) ELSE o.remaining END) AS before
    FROM open j JOIN open o ON o.priority > j.priority OR (o.priority = j.priority AND o.rank <= j.rank)
    GROUP BY j.job_id, j.remaining, j.share) q
)
SELECT j.job_id, CASE WHEN j.is_paused AND j.state IN ('pending', 'running') THEN 'paused' ELSE j.state::text END AS state,
  CASE WHEN (SELECT count(*) FROM jsonb_object_keys(j.mix)) = 1
       THEN (SELECT * FROM jsonb_object_keys(j.mix)) ELSE 'mixed' END AS scenario,
  j.wanted, j.counts, j.budget, j.tasks_max, j.split AS tasks_made,
  coalesce(c.accepted, 0) AS done, coalesce(c.rejected, 0) AS rejected, coalesce(c.failed, 0) AS failed,
  coalesce(c.unjudged, 0) AS unjudged,
  least(1, CASE j.counts WHEN 'written' THEN coalesce(c.done + c.failed + c.cancelled, 0)
    ELSE coalesce(c.accepted, 0) END::double precision / j.wanted) AS progress_ratio,
  a.remaining, a.before AS queued_before,
  CASE WHEN r.finished >= 3 AND a.remaining > 0 THEN now() + make_interval(secs => a.queued / r.rate) END AS eta_p50_at,
  CASE WHEN r.finished >= 3 AND a.remaining > 0
       THEN now() + make_interval(secs => a.queued / r.rate + 1.2816 * sqrt(
         r.variance * a.queued / r.rate ^ 3 + r.doubt * a.queued ^ 2 / r.rate ^ 4)) END AS eta_p90_at,
  j.priority, j.rank, j.min_turns, j.max_turns, j.mix, j.seed, j.model, j.node_class, j.vram_bytes_min, j.requested_by, j.created_at,
  j.finished_at
FROM fleet.jobs j LEFT JOIN counts c USING (job_id) LEFT JOIN ahead a USING (job_id) CROSS JOIN recent r;

CREATE VIEW analytics.tasks AS
SELECT t.task_id, t.job_id, t.node, t.state::text AS state, t.attempt, t.failures, t.scenario, t.position,
  (SELECT count(*) FROM fleet.turns u WHERE u.task_id = t.task_id) AS turns_written,
  t.lease_until, t.error, t.created_at, t.claimed_at, t.started_at, t.finished_at
FROM fleet.tasks t;

CREATE VIEW analytics.task_failures AS
SELECT f.failed_at AS time, f.node, f.task_id, t.job_id, t.scenario, f.attempt, f.kind, f.message, f.counts
FROM fleet.task_failures f JOIN fleet.tasks t USING (task_id);

CREATE VIEW analytics.conversations AS
SELECT c.conversation_id, c.job_id, c.task_id, c.node, c.model, c.scenario, c.state::text AS state,
  g.realness, g.coherence, g.naturalness, g.healthcare_valid, g.judge, g.checks_passed, g.checks_total,
  c.prompt_tokens, c.completion_tokens, c.tries, c.generation_seconds, c.turns, p.name AS prompt, p.version AS prompt_version,
  encode(c.content_hash, 'hex') AS content_hash, c.created_at, c.judged_at, c.judged_by
FROM fleet.conversations c
-- Each has both; as LEFT JOINs they cost nothing where a reader wants neither.
LEFT JOIN fleet.grades g USING (conversation_id) LEFT JOIN fleet.prompts p USING (prompt_id)
WHERE c.state <> 'unjudged';

CREATE VIEW analytics.turns AS
SELECT c.conversation_id, u.position, u.speaker, u.text_scrubbed AS text
FROM fleet.conversations c JOIN fleet.turns u USING (task_id) WHERE c.state <> 'unjudged';

CREATE VIEW analytics.rejections AS
SELECT r.conversation_id, r.reason, r.stage, r.evidence, c.scenario, c.node, c.model, r.created_at, r.earlier_conversation_id, r.similarity
FROM fleet.rejections r JOIN fleet.conversations c USING (conversation_id);

CREATE VIEW analytics.turn_tries AS
SELECT y.created_at AS time, y.node, y.task_id, t.scenario, y.restart, y.position, y.try, y.reason, y.completion_tokens,
  y.duration_seconds
FROM fleet.turn_tries y JOIN fleet.tasks t USING (task_id);

-- What was paid in an hour against what was kept in it: calls of given-up tasks are paid too.
CREATE VIEW analytics.yield_1h AS
SELECT b.time, b.node, b.judged, b.accepted, b.tries, b.completion_tokens, b.generation_seconds,
  b.accepted / nullif(b.judged, 0)::double precision AS yield_ratio,
  b.completion_tokens / nullif(b.accepted, 0)::double precision AS completion_tokens_per_accepted,
  b.generation_seconds / nullif(b.accepted, 0) AS generation_seconds_per_accepted
FROM (
  SELECT p.time, p.node, sum(p.judged)::bigint AS judged, sum(p.accepted)::bigint AS accepted, sum(p.tries)::bigint AS tries,
    sum(p.completion_tokens)::bigint AS completion_tokens, sum(p.generation_seconds) AS generation_seconds
  FROM (
    SELECT date_bin('1 hour', c.judged_at, '2000-01-01 00:00:00+00') AS time, c.node, 1 AS judged,
      (c.state = 'accepted')::integer AS accepted, 0 AS tries, 0 AS completion_tokens, 0::double precision AS generation_seconds
    FROM fleet.conversations c WHERE c.judged_at IS NOT NULL
    -- Calls of an hour are rolled up once it is over, and kept for some weeks only.
    UNION ALL SELECT g.time, g.node, 0, 0, 0, g.completion_tokens_sum, g.duration_seconds_avg * g.samples
    FROM telemetry.generation_1h g WHERE g.time < date_bin('1 hour', now() - interval '1 hour', '2000-01-01 00:00:00+00')
    UNION ALL SELECT date_bin('1 hour', r.time, '2000-01-01 00:00:00+00'), r.node, 0, 0, 0, r.completion_tokens, r.duration_seconds
    FROM telemetry.llm_requests r WHERE r.time >= date_bin('1 hour', now() - interval '1 hour', '2000-01-01 00:00:00+00')
    UNION ALL SELECT date_bin('1 hour', y.created_at, '2000-01-01 00:00:00+00'), y.node, 0, 0, 1, 0, 0 FROM fleet.turn_tries y
  ) p GROUP BY 1, 2
) b;

CREATE VIEW analytics.audit AS
SELECT audit_id, time, actor, role, way, action, target, outcome, reason FROM control.audit;
CREATE VIEW analytics.fleet_state AS SELECT state, changed_at, changed_by, reason FROM fleet.state;
