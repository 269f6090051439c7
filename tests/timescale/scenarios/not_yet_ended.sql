-- A minute is told once it has ended, an hour likewise.
-- given
INSERT INTO telemetry.temperatures (time, node, sensor, temperature_celsius)
SELECT t, 'not-yet', 'cpu', 40 FROM (VALUES (ago(0) - interval '1 second'), (date_trunc('minute', now())), (now() + interval '20 minutes')) AS v(t);
-- settle
-- expect
SELECT time - ago(1), samples FROM analytics.temperatures_1m
WHERE node = 'not-yet' AND time < date_trunc('minute', now()) - interval '1 minute' ORDER BY time;
-- | 0:59:00 | 1 |
-- expect
SELECT time - ago(1), samples FROM analytics.temperatures_1h WHERE node = 'not-yet' ORDER BY time;
-- | 0:00:00 | 1 |
