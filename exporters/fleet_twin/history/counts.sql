-- What the functions that store conversations count, counted at once for all that was brought in past them.
CREATE TEMPORARY TABLE told ON COMMIT DROP AS
SELECT t.* FROM fleet.tasks t JOIN fleet.jobs j USING (job_id) WHERE j.requested_by = 'twin history';
CREATE TEMPORARY TABLE calls ON COMMIT DROP AS
SELECT r.*, jsonb_build_object('model', r.model) AS labels FROM telemetry.llm_requests r JOIN told USING (task_id);
ANALYZE told, calls;

INSERT INTO telemetry.task_transitions (time, node, task_id, job_id, attempt, state_before, state)
SELECT c.time, t.node, t.task_id, t.job_id, t.attempt, c.state_before, c.state
FROM told t, LATERAL (VALUES (t.claimed_at, 'pending', 'claimed'), (t.started_at, 'claimed', 'running'),
  (t.finished_at, 'running', 'done')) AS c(time, state_before, state);

INSERT INTO fleet.node_models (node, model, continuation, asked_at)
SELECT node, model, 'continues', min(time) FROM calls GROUP BY 1, 2 ON CONFLICT DO NOTHING;

SELECT fleet.bump_counter(node, name, labels, value) FROM (
  SELECT c.judged_by AS node, 'fleet_conversations_total' AS name,
    jsonb_build_object('scenario', c.scenario, 'outcome', c.state) AS labels, count(*)::double precision AS value
  FROM fleet.conversations c JOIN told USING (task_id) GROUP BY 1, 3
  UNION ALL
  SELECT c.judged_by, 'fleet_rejections_total', jsonb_build_object('reason', r.reason), count(*)
  FROM fleet.conversations c JOIN told USING (task_id) JOIN fleet.rejections r USING (conversation_id) GROUP BY 1, 3
  UNION ALL
  SELECT c.judged_by, 'fleet_quality_checks_total', jsonb_build_object('outcome', k.outcome), sum(k.checks)
  FROM fleet.conversations c JOIN told USING (task_id) JOIN fleet.grades g USING (conversation_id), LATERAL (VALUES
    ('passed', g.checks_passed), ('failed', g.checks_total - g.checks_passed)) AS k(outcome, checks) GROUP BY 1, 3
  UNION ALL
  SELECT y.node, 'fleet_turn_tries_total', jsonb_build_object('scenario', t.scenario, 'reason', y.reason), count(*)
  FROM fleet.turn_tries y JOIN told t USING (task_id) GROUP BY 1, 3
  UNION ALL
  SELECT c.node, 'fleet_llm_requests_total', c.labels || jsonb_build_object('outcome', c.outcome), count(*) FROM calls c GROUP BY 1, 3
  UNION ALL
  SELECT c.node, k.name, c.labels || k.labels, sum(k.value) FROM calls c, LATERAL (VALUES
    ('fleet_llm_tokens_total', '{"kind": "prompt"}'::jsonb, c.prompt_tokens),
    ('fleet_llm_tokens_total', '{"kind": "completion"}', c.completion_tokens),
    ('fleet_llm_cached_prompt_tokens_total', '{}', c.cached_prompt_tokens)) AS k(name, labels, value) GROUP BY 1, 2, 3
  UNION ALL
  SELECT c.node, k.name, c.labels || jsonb_build_object('prompt', fleet.prompt_length(c.prompt_tokens)), sum(k.value)
  FROM calls c, LATERAL (VALUES ('fleet_llm_writing_tokens_total', c.completion_tokens),
    ('fleet_llm_writing_seconds_total', greatest(c.duration_seconds - coalesce(c.time_to_first_token_seconds, 0), 0))) AS k(name, value)
  WHERE c.outcome IN ('ok', 'invalid') GROUP BY 1, 2, 3
  UNION ALL
  SELECT h.node, h.name || k.name, h.labels || k.labels, k.value FROM (
    SELECT c.node, c.labels, v.name, array_agg(v.seconds) AS seconds FROM calls c, LATERAL (VALUES
      ('fleet_llm_request_duration_seconds', c.duration_seconds),
      ('fleet_llm_time_to_first_token_seconds', c.time_to_first_token_seconds)) AS v(name, seconds) GROUP BY 1, 2, 3) h, LATERAL (
    SELECT '_sum', '{}'::jsonb, sum(s) FROM unnest(h.seconds) s UNION ALL SELECT '_count', '{}', cardinality(h.seconds)
    UNION ALL SELECT '_bucket', jsonb_build_object('le', b.le), count(*) FILTER (WHERE s <= replace(b.le, '+Inf', 'Infinity')::double precision)
    FROM unnest(h.seconds) s, unnest(ARRAY['0.1', '0.25', '0.5', '1', '2.5', '5', '10', '20', '40', '80', '160', '+Inf']) AS b(le)
    GROUP BY b.le) AS k(name, labels, value)
) counted;
SELECT fleet.recount();
