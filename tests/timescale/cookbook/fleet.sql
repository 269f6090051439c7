-- Three machines and 84 hours of their life, all by arithmetic: ago(84) is Friday 0:00 of the cookbook, ago(0) Monday 12:00.
DELETE FROM fleet.nodes;
DELETE FROM fleet.scenarios;
INSERT INTO fleet.nodes (node, node_id, roles, agent_version, settings_version, worker_state, enrolled_at, last_heartbeat_at) VALUES
  ('atlas', gen_random_uuid(), '{generate,quality}', '0.4.0', 3, 'running', ago(84), ago(-24)),
  ('nova', gen_random_uuid(), '{generate}', '0.4.0', 3, 'running', ago(84), ago(-24)),
  ('pi', gen_random_uuid(), '{generate}', '0.3.1', 2, 'running', ago(84), ago(1));
INSERT INTO fleet.scenarios (scenario, title, is_healthcare, definition) VALUES
  ('healthcare_billing', 'A bill of the clinic', true, '{}'), ('order_status', 'Where is my order', false, '{}'), ('complaint', 'A complaint', false, '{}');
INSERT INTO fleet.prompts (name, version, method, template)
SELECT 'line_by_line', max(version) + v, 'line_by_line', '' FROM (SELECT 0 AS version UNION SELECT version FROM fleet.prompts) p, unnest(ARRAY[1, 2]) v GROUP BY v;

-- Machines: one row a minute. pi was away for 3 h 45 min, atlas for 12 min; nova played from ago(17) to ago(15).
CREATE TABLE scenario.minutes AS
SELECT n.node, ago(84) + m * interval '1 minute' AS time, m, m / 60 AS hour
FROM unnest(ARRAY['atlas', 'nova', 'pi']) AS n(node), generate_series(0, 84 * 60 - 1) m
WHERE NOT (n.node = 'pi' AND m BETWEEN 2440 AND 2664) AND NOT (n.node = 'atlas' AND m BETWEEN 3060 AND 3071);
INSERT INTO telemetry.hardware (time, node, cpu_utilization_ratio, cpu_temperature_celsius, memory_used_bytes, memory_total_bytes,
  mode, throttle_factor, power_watts, clock_offset_seconds)
SELECT time, node,
  CASE node WHEN 'atlas' THEN 0.30 WHEN 'nova' THEN 0.20 ELSE 0.85 END + (m % 10) / 100.0,
  CASE node WHEN 'atlas' THEN 52 WHEN 'nova' THEN 58 ELSE 66 END + m % 7 + CASE WHEN mode = 'gaming' THEN 15 ELSE 0 END,
  CASE node WHEN 'atlas' THEN 20e9 WHEN 'nova' THEN 11e9 ELSE 7.4e9 END + (m % 5) * 1e8,
  CASE node WHEN 'atlas' THEN 64e9 WHEN 'nova' THEN 32e9 ELSE 8e9 END,
  mode, CASE mode WHEN 'gaming' THEN 0 WHEN 'idle' THEN 1 ELSE 0.5 END,
  CASE node WHEN 'atlas' THEN 45 WHEN 'nova' THEN 60 ELSE 6 END,
  CASE WHEN node = 'pi' AND hour >= 60 THEN 2.4 ELSE 0.01 END
FROM (SELECT *, CASE WHEN node = 'nova' AND hour BETWEEN 67 AND 68 THEN 'gaming'
  WHEN node = 'nova' AND m BETWEEN 69 * 60 AND 69 * 60 + 19 THEN 'throttling'
  WHEN node = 'atlas' AND hour BETWEEN 81 AND 82 THEN 'work' ELSE 'idle' END AS mode FROM scenario.minutes) m;
INSERT INTO telemetry.gpu (time, node, gpu, name, utilization_ratio, temperature_celsius, slowdown_temperature_celsius,
  temperature_margin_celsius, memory_used_bytes, memory_total_bytes, power_watts, power_limit_watts)
SELECT time, node, '0', CASE node WHEN 'atlas' THEN 'NVIDIA RTX A5000' ELSE 'NVIDIA GeForce RTX 4070' END, 0.7 + (m % 3) / 10.0,
  celsius, CASE node WHEN 'atlas' THEN 92 ELSE 88 END, CASE node WHEN 'atlas' THEN 92 ELSE 88 END - celsius,
  CASE node WHEN 'atlas' THEN 9e9 ELSE 7e9 END, CASE node WHEN 'atlas' THEN 24e9 ELSE 12e9 END,
  CASE WHEN node = 'atlas' AND hour BETWEEN 33 AND 35 THEN 230 WHEN node = 'atlas' THEN 150 WHEN hour BETWEEN 67 AND 68 THEN 195 ELSE 120 END,
  CASE node WHEN 'atlas' THEN 230 ELSE 200 END
FROM (SELECT *, CASE WHEN node = 'atlas' THEN 61 + m % 6 WHEN hour BETWEEN 67 AND 68 THEN 84 + m % 6 ELSE 70 + m % 4 END AS celsius
  FROM scenario.minutes WHERE node <> 'pi') m;
INSERT INTO telemetry.disks (time, node, mount, free_bytes, total_bytes)
SELECT time, node, CASE node WHEN 'nova' THEN 'C:\' ELSE '/' END,
  CASE node WHEN 'atlas' THEN 120e9 - m * 15e6 WHEN 'nova' THEN 310e9 + (m % 20) * 1e7 ELSE 9e9 - m * 2e5 END,
  CASE node WHEN 'atlas' THEN 1000e9 WHEN 'nova' THEN 1000e9 ELSE 32e9 END
FROM scenario.minutes WHERE m % 10 = 0;
INSERT INTO telemetry.temperatures (time, node, sensor, temperature_celsius)
SELECT time, node, s.sensor, 45 + s.more + m % 4
FROM scenario.minutes, (VALUES ('package', 20), ('board', 0)) AS s(sensor, more) WHERE m % 10 = 0;
-- Counters of the last three hours, each 20 s; that of nova begins anew an hour before.
INSERT INTO telemetry.network (time, node, device, receive_bytes_total, transmit_bytes_total, receive_errors_total, transmit_errors_total,
  receive_drops_total, transmit_drops_total, speed_bytes_per_second)
SELECT ago(3) + s * interval '20 seconds', n.node, 'eth0',
  CASE WHEN n.node = 'nova' AND s >= 360 THEN s - 360 ELSE s END * n.a_second * 20::bigint, s * 20000, s / n.a_bad_one, 0, 0, 0, 125000000
FROM (VALUES ('atlas', 900000, 1000), ('nova', 2500000, 1000), ('pi', 30000, 20)) AS n(node, a_second, a_bad_one), generate_series(0, 539) s;

-- Work: 80 conversations, one an hour from ago(83) on; machines, scenarios and verdicts take turns.
CREATE TABLE scenario.written AS
SELECT n, CASE WHEN n <= 30 THEN 1 WHEN n <= 60 THEN 2 ELSE 3 END AS job,
  CASE WHEN n % 5 = 0 THEN 'pi' WHEN n % 5 IN (1, 3) OR n IN (67, 68) THEN 'atlas' ELSE 'nova' END AS node,
  (ARRAY['healthcare_billing', 'order_status', 'complaint'])[n % 3 + 1] AS scenario,
  ago(84 - n) + interval '10 minutes' AS created_at, 6 + 2 * (n % 2) AS turns,
  CASE WHEN n % 10 = 5 THEN 'repeated_turn' WHEN n IN (42, 66) THEN 'exact_duplicate' WHEN n % 12 = 0 THEN 'cut_off' WHEN n % 6 = 0 THEN 'identity_disclosed' END AS reason
FROM generate_series(1, 80) n;
INSERT INTO telemetry.llm_requests (time, node, request_id, task_id, model, prompt_tokens, cached_prompt_tokens, completion_tokens, duration_seconds,
  time_to_first_token_seconds, outcome)
SELECT w.created_at - (w.turns + 1 - k) * interval '15 seconds', w.node, md5(format('call %s %s', n, k))::uuid, md5('task ' || n)::uuid, m.model, p.prompt_tokens,
  CASE WHEN k > 1 THEN p.prompt_tokens - 60 ELSE 0 END, p.completion_tokens,
  -- nova was four times as slow for an hour.
  round((p.completion_tokens / m.pace * CASE WHEN n = 57 THEN 4 ELSE 1 END + p.prompt_tokens * m.read)::numeric, 3),
  round((p.prompt_tokens * m.read)::numeric, 3), 'ok'
FROM scenario.written w JOIN (VALUES ('atlas', 'qwen2.5-7b-instruct', 40.0, 0.0010), ('nova', 'llama-3.1-8b-instruct', 50.0, 0.0006), ('pi', 'qwen2.5-0.5b-instruct', 8.0, 0.0090))
    AS m(node, model, pace, read) USING (node),
  -- a call more than turns where a check refused one
  LATERAL generate_series(1, w.turns + (n % 4 = 1)::integer) k, LATERAL (SELECT 180 + 60 * k AS prompt_tokens, 18 + (n * 7 + k * 5) % 17 AS completion_tokens) p;
INSERT INTO telemetry.llm_requests (time, node, request_id, task_id, model, completion_tokens, duration_seconds, outcome) VALUES
  (ago(51), 'nova', md5('e1')::uuid, md5('task 34')::uuid, 'llama-3.1-8b-instruct', 0, 0.2, 'error'),
  (ago(26), 'nova', md5('e2')::uuid, md5('task 81')::uuid, 'llama-3.1-8b-instruct', 12, 2, 'invalid'),
  (ago(25), 'pi', md5('e3')::uuid, md5('task 81')::uuid, 'qwen2.5-0.5b-instruct', 12, 9, 'invalid'),
  (ago(17) + interval '30 seconds', 'nova', md5('e4')::uuid, NULL, 'llama-3.1-8b-instruct', 7, 0.9, 'aborted');
-- Triggers let no job, task or conversation begin at its end.
SET session_replication_role = replica;
INSERT INTO fleet.jobs (job_id, mix, wanted, min_turns, max_turns, priority, state, seed, split, requested_by, created_at, finished_at)
SELECT md5('job ' || j.number)::uuid, '{"order_status": 1, "complaint": 1, "healthcare_billing": 1}', j.wanted, 6, 8, j.priority,
  j.state::fleet.job_state, 1, j.wanted, j.by, j.created_at, j.finished_at
FROM (VALUES (1, 30, 5, 'done', 'ada', ago(84), ago(54)), (2, 31, 5, 'done', 'ada', ago(60), ago(23)), (3, 40, 7, 'running', 'ben', ago(24), NULL))
  AS j(number, wanted, priority, state, by, created_at, finished_at);
INSERT INTO fleet.tasks (task_id, job_id, position, place, scenario, seed, state, attempt, failures, node, prompt_id, created_at, claimed_at, started_at, finished_at)
SELECT md5('task ' || n)::uuid, md5('job ' || job)::uuid, n, n, scenario, n, 'done', 1 + (n IN (34, 63))::integer, 0, node,
  (SELECT max(prompt_id) FROM fleet.prompts) - (n <= 40)::integer, created_at - interval '1 hour', created_at - interval '5 minutes', created_at - interval '5 minutes', created_at
FROM scenario.written;
-- One that was given up, and what is still to be written of the last job.
INSERT INTO fleet.tasks (task_id, job_id, position, place, scenario, seed, state, attempt, failures, node, error, lease_until, created_at, claimed_at, started_at, finished_at)
SELECT md5('task ' || t.n)::uuid, md5('job ' || t.job)::uuid, t.n, t.n, 'complaint', t.n, t.state::fleet.task_state, t.attempt, t.failures, t.node, t.error,
  t.lease_until, ago(30), t.claimed_at, t.claimed_at, t.finished_at
FROM (
  SELECT 81 AS n, 2 AS job, 'failed' AS state, 2 AS attempt, 2 AS failures, 'pi' AS node, 'no valid turn' AS error, NULL::timestamptz AS lease_until, ago(26) AS claimed_at, ago(25) AS finished_at
  UNION ALL SELECT 82, 3, 'running', 1, 0, 'atlas', NULL, now() + interval '1 day', ago(0), NULL
  UNION ALL SELECT n, 3, 'pending', 0, 0, NULL, NULL, NULL, NULL, NULL FROM generate_series(83, 101) n) t;
INSERT INTO fleet.task_failures (task_id, attempt, node, failed_at, kind, message, counts)
SELECT md5('task ' || f.n)::uuid, f.attempt, f.node, f.failed_at, f.kind, f.message, f.counts
FROM (VALUES
  (81, 1, 'nova', ago(26), 'bad_answer', 'no valid turn', true), (81, 2, 'pi', ago(25), 'bad_answer', 'no valid turn', true),
  (34, 1, 'nova', ago(51), 'not_a_stream', 'the server answered HTML', false), (63, 1, 'pi', ago(22), 'worker_died', 'the worker died', false))
  AS f(n, attempt, node, failed_at, kind, message, counts);
INSERT INTO fleet.turn_tries (request_id, task_id, restart, position, try, node, reason, completion_tokens, duration_seconds, created_at)
SELECT r.request_id, r.task_id, 0, w.turns, 1, w.node, CASE WHEN n % 8 = 1 THEN 'turn_length' ELSE 'identity_not_asked' END, r.completion_tokens, r.duration_seconds, r.time
FROM scenario.written w JOIN telemetry.llm_requests r ON r.request_id = md5(format('call %s %s', n, w.turns + 1))::uuid;
INSERT INTO fleet.conversations (conversation_id, task_id, job_id, node, model, scenario, prompt_id, persona, state, turns, tries, prompt_tokens, completion_tokens,
  generation_seconds, content_hash, created_at, judged_by, judged_at)
SELECT md5('conversation ' || n)::uuid, t.task_id, t.job_id, w.node, c.model, w.scenario, t.prompt_id, '{}',
  CASE WHEN w.reason IS NULL THEN 'accepted' ELSE 'rejected' END::fleet.conversation_state, w.turns, (n % 4 = 1)::integer, c.prompt_tokens, c.completion_tokens,
  c.seconds, sha256(convert_to('text ' || CASE WHEN w.reason = 'exact_duplicate' THEN n - 25 ELSE n END, 'UTF8')), w.created_at, 'atlas', w.created_at + (5 + n % 20) * interval '1 second'
FROM scenario.written w JOIN fleet.tasks t ON t.task_id = md5('task ' || n)::uuid, LATERAL (
  SELECT max(r.model) AS model, sum(r.prompt_tokens) AS prompt_tokens, sum(r.completion_tokens) AS completion_tokens, sum(r.duration_seconds) AS seconds
  FROM telemetry.llm_requests r WHERE r.task_id = t.task_id) c;
INSERT INTO fleet.grades (conversation_id, judge, checks_passed, checks_total, realness, coherence, naturalness, healthcare_valid, created_at)
SELECT md5('conversation ' || n)::uuid, 'rules', 20 - (reason IS NOT NULL)::integer, 20, 6 + n % 4, 7 + n % 3, 5 + n % 4,
  CASE WHEN scenario = 'healthcare_billing' THEN n % 9 <> 0 END, created_at FROM scenario.written;
INSERT INTO fleet.rejections (conversation_id, reason, stage, evidence, created_at)
SELECT md5('conversation ' || n)::uuid, reason, CASE reason WHEN 'cut_off' THEN 'shape' WHEN 'exact_duplicate' THEN 'duplicate' ELSE 'checks' END,
  CASE reason WHEN 'exact_duplicate' THEN 'same text as conversation ' || md5('conversation ' || n - 25)::uuid ELSE 'turn 3' END, created_at
FROM scenario.written WHERE reason IS NOT NULL;
INSERT INTO fleet.turns (task_id, position, speaker, text, text_scrubbed, attempt, created_at)
SELECT md5('task ' || n)::uuid, k, CASE k % 2 WHEN 1 THEN 'agent' ELSE 'customer' END, 'raw words', CASE k
    WHEN 1 THEN 'Thank you for calling, how may I help you?'
    WHEN 2 THEN CASE scenario WHEN 'complaint' THEN 'My parcel came broken and I want my money back.'
      WHEN 'order_status' THEN 'Where is my order from ' || (ARRAY['Monday', 'Tuesday', 'Friday'])[n / 3 % 3 + 1] || '?' ELSE 'This is [PII]. Why is bill ' || n || ' so high?' END
    WHEN 3 THEN 'May I have your account number?' WHEN 4 THEN 'It is [PII].'
    WHEN 5 THEN 'Thank you. I see it here: case ' || n || '.' WHEN 6 THEN 'Good. When will it be settled?'
    WHEN 7 THEN 'Within three days.' ELSE 'Thank you, goodbye.' END, 1, created_at
FROM scenario.written, LATERAL generate_series(1, turns) k;
RESET session_replication_role;
SELECT fleet.recount();

-- People, settings, alerts, events.
SET session_replication_role = replica; -- the audit log has what stands below
INSERT INTO fleet.config (scope, key, value, valid_from, author, reason) VALUES
  ('fleet', 'temperature', '0.9', ago(44), 'ada', 'more variety'), ('node:nova', 'warm_throttle_factor', '0.85', ago(20), 'ben', 'well cooled');
RESET session_replication_role;
INSERT INTO control.audit (audit_id, time, actor, role, way, action, target, outcome, reason, previous_hash, hash)
SELECT row_number() OVER (ORDER BY a.time), a.*, '\x', '\x' FROM (VALUES
  (ago(84), 'ada', 'operator', 'login', 'jobs.submit', 'mixed', 'done', '30 conversations of mixed'),
  (ago(60), 'ada', 'operator', 'login', 'jobs.submit', 'mixed', 'done', '31 conversations of mixed'),
  (ago(50), 'eve', 'viewer', 'grafana', 'fleet.pause', 'fleet', 'refused', 'viewers may not'),
  (ago(50) + interval '1 minute', 'eve', 'viewer', 'grafana', 'jobs.cancel', '/api/v1/buttons/job-cancel', 'refused', 'viewers may not'),
  (ago(40), 'ada', 'operator', 'grafana', 'fleet.pause', 'fleet', 'done', 'driver update'),
  (ago(39), 'ada', 'operator', 'grafana', 'fleet.resume', 'fleet', 'done', 'driver updated'),
  (ago(24), 'ben', 'operator', 'token', 'jobs.submit', 'mixed', 'done', '40 conversations of mixed')) AS a(time, actor, role, way, action, target, outcome, reason);
INSERT INTO telemetry.events (time, node, severity, kind, message) VALUES
  (ago(51) + interval '20 seconds', 'nova', 'warning', 'llm_circuit_opened', 'The server answered HTML.'),
  (ago(51) + interval '5 minutes', 'nova', 'info', 'llm_circuit_closed', 'The server writes again.'),
  (ago(40), NULL, 'info', 'fleet_paused', 'ada paused the fleet: driver update'),
  (ago(39), NULL, 'info', 'fleet_resumed', 'ada resumed the fleet: driver updated'),
  (ago(25), 'pi', 'error', 'task_failed', 'A task failed 2 times and is given up: no valid turn'),
  (ago(17) - interval '2 minutes', 'nova', 'warning', 'program_ended', 'The model server ended with exit code 1.');
INSERT INTO control.alerts (labels, summary, started_at, notified_at, ended_at) VALUES
  ('{"alertname": "GpuHot", "severity": "critical", "node": "nova", "gpu": "0"}', 'A GPU is too hot.', ago(17) + interval '2 minutes', ago(17) + interval '2 minutes', ago(15)),
  ('{"alertname": "GpuHot", "severity": "critical", "node": "nova", "gpu": "0"}', 'A GPU is too hot.', ago(41), NULL, ago(41) + interval '6 minutes'),
  ('{"alertname": "NodeDown", "severity": "critical", "node": "pi"}', 'A machine is gone.', ago(44) + interval '41 minutes', ago(44) + interval '41 minutes', ago(40) + interval '25 minutes');
INSERT INTO telemetry.storage (table_name, level, keep, bytes, saved_bytes, rows, days, rows_per_day, month_bytes, full_bytes, next_drop_at, next_drop_bytes, measured_at) VALUES
  ('hardware', 'raw', '26 hours', 6200000, 0, 56160, 1.08, 51840, 171000000, 6200000, ago(-12), 2900000, ago(0)),
  ('hardware', 'minute', '30 days', 4100000, 0, 12960, 3.5, 4320, 41000000, 41000000, ago(-636), 1200000, ago(0)),
  ('hardware', 'hour', NULL, 90000, 0, 252, 3.5, 72, 770000, NULL, NULL, NULL, ago(0)),
  ('generation', 'raw', '30 days', 260000, 0, 580, 3.5, 166, 2200000, 2200000, ago(-636), 70000, ago(0));
DROP TABLE scenario.minutes, scenario.written;
