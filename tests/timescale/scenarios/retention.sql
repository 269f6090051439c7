-- Readings can be read for 26 hours, minutes and calls for 30 days, events for 400 days, hours for good.
-- given
INSERT INTO telemetry.disks (time, node, mount, free_bytes, total_bytes) VALUES (ago(31 * 24), 'retention', '/', 10, 100);
-- settle 743
-- given
INSERT INTO telemetry.disks (time, node, mount, free_bytes, total_bytes) VALUES (ago(80), 'retention', '/', 10, 100);
-- settle 79
-- given
INSERT INTO telemetry.disks (time, node, mount, free_bytes, total_bytes) VALUES (ago(24), 'retention', '/', 10, 100);
-- settle 23
-- given
INSERT INTO telemetry.llm_requests (time, node, request_id, model, prompt_tokens, completion_tokens, duration_seconds, outcome)
SELECT t, 'retention', gen_random_uuid(), 'tiny', 10, 20, 2, 'ok' FROM (VALUES (ago(29 * 24)), (ago(32 * 24))) AS v(t);
INSERT INTO telemetry.events (time, node, severity, kind, message)
SELECT t, 'retention', 'info', 'told', 'something' FROM (VALUES (ago(399 * 24)), (ago(401 * 24))) AS v(t);
-- settle
-- expect
SELECT 'raw', round(extract(epoch FROM ago(0) - time) / 3600) FROM analytics.disks WHERE node = 'retention'
UNION ALL SELECT 'minute', round(extract(epoch FROM ago(0) - time) / 3600) FROM analytics.disks_1m WHERE node = 'retention'
UNION ALL SELECT 'hour', round(extract(epoch FROM ago(0) - time) / 3600) FROM analytics.disks_1h WHERE node = 'retention'
UNION ALL SELECT 'call', round(extract(epoch FROM ago(0) - time) / 3600) FROM analytics.llm_requests WHERE node = 'retention'
UNION ALL SELECT 'event', round(extract(epoch FROM ago(0) - time) / 3600) FROM analytics.events WHERE node = 'retention'
ORDER BY 1, 2;
-- | call | 696 |
-- | event | 9576 |
-- | hour | 24 |
-- | hour | 80 |
-- | hour | 744 |
-- | minute | 24 |
-- | minute | 80 |
-- | raw | 24 |
