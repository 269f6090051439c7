-- A minute without rows is no row; a reading that is missing is left out of averages, and NULL where it is always missing.
-- given
INSERT INTO telemetry.hardware (time, node, cpu_temperature_celsius)
SELECT ago(2) + n * interval '30 seconds', 'gaps', CASE WHEN n <> 1 THEN 40 + n END
FROM unnest(ARRAY[0, 1, 6, 7]) AS n;
INSERT INTO telemetry.hardware (time, node) VALUES (ago(2) + interval '10 minutes', 'gaps');
-- settle
-- expect
SELECT time - ago(2), samples, cpu_temperature_celsius_avg, cpu_temperature_celsius_max
FROM analytics.hardware_1m WHERE node = 'gaps' ORDER BY time;
-- | 0:00:00 | 2 | 40.0 | 40.0 |
-- | 0:03:00 | 2 | 46.5 | 47.0 |
-- | 0:10:00 | 1 | NULL | NULL |
-- expect
SELECT samples, cpu_temperature_celsius_avg, cpu_temperature_celsius_min FROM analytics.hardware_1h WHERE node = 'gaps';
-- | 5 | 43.25 | 40.0 |
