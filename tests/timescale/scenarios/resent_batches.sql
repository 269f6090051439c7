-- A batch that is sent again, whole or with rows that are new, counts each row once.
-- given
CREATE TEMPORARY TABLE batch AS SELECT ago(4) + n * interval '5 seconds' AS time, 'resent' AS node, g AS gpu, 0.5 AS utilization_ratio
FROM generate_series(0, 11) n, unnest(ARRAY['0', '1']) g;
INSERT INTO telemetry.gpu (time, node, gpu, utilization_ratio) SELECT * FROM batch WHERE gpu = '0';
-- settle
-- given
INSERT INTO telemetry.gpu (time, node, gpu, utilization_ratio) SELECT * FROM batch ON CONFLICT DO NOTHING;
INSERT INTO telemetry.gpu (time, node, gpu, utilization_ratio) SELECT * FROM batch ON CONFLICT DO NOTHING;
DROP TABLE batch;
-- settle
-- expect
SELECT gpu, samples, utilization_ratio_avg FROM analytics.gpu_1m WHERE node = 'resent' ORDER BY gpu;
-- | 0 | 12 | 0.5 |
-- | 1 | 12 | 0.5 |
-- expect
SELECT gpu, samples FROM analytics.gpu_1h WHERE node = 'resent' ORDER BY gpu;
-- | 0 | 12 |
-- | 1 | 12 |
