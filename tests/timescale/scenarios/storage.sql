-- What each level takes: rows, days, rows a day at the present rate, what a month and a full level cost, what goes next.
-- given
INSERT INTO telemetry.network (time, node, device, receive_bytes_total, transmit_bytes_total)
SELECT now() - interval '10 hours' - n * interval '30 seconds', 'storage', 'eth0', n, n FROM generate_series(1, 1200) n;
-- settle
-- given
SELECT telemetry.note_storage(interval '0');
-- expect
SELECT level, keep, bytes > 0, saved_bytes >= 0, rows >= CASE level WHEN 'raw' THEN 900 WHEN 'minute' THEN 500 ELSE 9 END,
  days > 0.8, rows_per_day >= CASE level WHEN 'raw' THEN 900 WHEN 'minute' THEN 500 ELSE 9 END,
  month_bytes BETWEEN rows_per_day * 30 * 10 AND rows_per_day * 30 * 1000, abs(full_bytes - month_bytes * extract(epoch FROM keep) / 86400 / 30) < 2
FROM analytics.storage WHERE table_name = 'network' ORDER BY level;
-- | hour | NULL | True | True | True | True | True | NULL | NULL |
-- | minute | 30 days, 0:00:00 | True | True | True | True | True | True | True |
-- | raw | 1 day, 2:00:00 | True | True | True | True | True | True | True |
-- expect
SELECT level, next_drop_at > now(), next_drop_bytes > 0 FROM analytics.storage WHERE table_name = 'network' ORDER BY level;
-- | hour | NULL | NULL |
-- | minute | True | True |
-- | raw | True | True |
-- expect
SELECT count(*), count(DISTINCT table_name) FROM analytics.storage WHERE bytes IS NULL OR rows IS NULL OR saved_bytes IS NULL;
-- | 0 | 0 |
