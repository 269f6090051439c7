-- Rows that come late are counted into their minute and hour, up to 22 hours after.
-- given
INSERT INTO telemetry.temperatures (time, node, sensor, temperature_celsius)
SELECT ago(21) + n * interval '5 seconds', 'late', 'cpu', 40 FROM generate_series(0, 5) n;
-- settle
-- expect
SELECT time - ago(21), samples, temperature_celsius_avg FROM analytics.temperatures_1m WHERE node = 'late';
-- | 0:00:00 | 6 | 40.0 |
-- given
INSERT INTO telemetry.temperatures (time, node, sensor, temperature_celsius)
SELECT ago(21) + n * interval '5 seconds', 'late', 'cpu', 50 FROM generate_series(6, 23) n;
-- settle
-- expect
SELECT time - ago(21), samples, temperature_celsius_avg FROM analytics.temperatures_1m WHERE node = 'late' ORDER BY time;
-- | 0:00:00 | 12 | 45.0 |
-- | 0:01:00 | 12 | 50.0 |
-- expect
SELECT time - ago(21), samples, temperature_celsius_avg, temperature_celsius_min FROM analytics.temperatures_1h WHERE node = 'late';
-- | 0:00:00 | 24 | 47.5 | 40.0 |
