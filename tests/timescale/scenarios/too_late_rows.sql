-- Rows older than what is held are not counted: what is left of a minute never takes the place of the whole of it.
-- given
INSERT INTO telemetry.temperatures (time, node, sensor, temperature_celsius)
SELECT ago(60) + n * interval '5 seconds', 'too-late', 'cpu', 40 FROM generate_series(0, 11) n;
-- settle 50
-- settle
-- given
INSERT INTO telemetry.temperatures (time, node, sensor, temperature_celsius)
VALUES (ago(60) + interval '57 seconds', 'too-late', 'cpu', 99), (ago(70), 'too-late', 'cpu', 99);
-- settle
-- expect
SELECT time - ago(60), samples, temperature_celsius_max FROM analytics.temperatures_1m WHERE node = 'too-late' ORDER BY time;
-- | 0:00:00 | 12 | 40.0 |
-- expect
SELECT time - ago(60), samples, temperature_celsius_max FROM analytics.temperatures_1h WHERE node = 'too-late' ORDER BY time;
-- | 0:00:00 | 12 | 40.0 |
