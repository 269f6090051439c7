-- Rows become minutes and minutes hours; the sum over each level is the same.
-- given
INSERT INTO telemetry.hardware (time, node, cpu_utilization_ratio, memory_used_bytes)
SELECT ago(3) + n * interval '5 seconds', 'two-levels', n / 100.0, 1000 + n FROM generate_series(0, 23) n;
INSERT INTO telemetry.hardware (time, node, cpu_utilization_ratio, memory_used_bytes)
SELECT ago(2) + n * interval '5 seconds', 'two-levels', 0.5, 2000 FROM generate_series(0, 11) n;
-- settle
-- expect
SELECT time - ago(3), samples, round(cpu_utilization_ratio_avg::numeric, 4), cpu_utilization_ratio_min, cpu_utilization_ratio_max,
  memory_used_bytes_avg, memory_used_bytes_min, memory_used_bytes_max, power_watts_avg
FROM analytics.hardware_1m WHERE node = 'two-levels' ORDER BY time;
-- | 0:00:00 | 12 | 0.0550 | 0.0 | 0.11 | 1005.5 | 1000 | 1011 | NULL |
-- | 0:01:00 | 12 | 0.1750 | 0.12 | 0.23 | 1017.5 | 1012 | 1023 | NULL |
-- | 1:00:00 | 12 | 0.5000 | 0.5 | 0.5 | 2000.0 | 2000 | 2000 | NULL |
-- expect
SELECT time - ago(3), samples, round(cpu_utilization_ratio_avg::numeric, 4), cpu_utilization_ratio_min, cpu_utilization_ratio_max
FROM analytics.hardware_1h WHERE node = 'two-levels' ORDER BY time;
-- | 0:00:00 | 24 | 0.1150 | 0.0 | 0.23 |
-- | 1:00:00 | 12 | 0.5000 | 0.5 | 0.5 |
-- expect
SELECT round(sum(cpu_utilization_ratio)::numeric, 6), count(*),
  (SELECT round(sum(cpu_utilization_ratio_avg * samples)::numeric, 6) FROM analytics.hardware_1m WHERE node = 'two-levels'),
  (SELECT round(sum(cpu_utilization_ratio_avg * samples)::numeric, 6) FROM analytics.hardware_1h WHERE node = 'two-levels')
FROM analytics.hardware WHERE node = 'two-levels';
-- | 8.760000 | 36 | 8.760000 | 8.760000 |
