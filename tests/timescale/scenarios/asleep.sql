-- A node that sleeps for six hours has no rows there, and its counters, far ahead when it wakes, make no burst.
-- given
INSERT INTO telemetry.network (time, node, device, receive_bytes_total, transmit_bytes_total)
SELECT ago(9) + n * interval '5 seconds', 'asleep', 'wlan0', 50 * n, 0 FROM generate_series(0, 11) n;
INSERT INTO telemetry.network (time, node, device, receive_bytes_total, transmit_bytes_total)
SELECT ago(3) + n * interval '5 seconds', 'asleep', 'wlan0', 9000000 + 100 * n, 0 FROM generate_series(0, 11) n;
-- settle
-- expect
SELECT time - ago(9), samples, receive_bytes_per_second_avg, receive_bytes_per_second_max
FROM analytics.network_1h WHERE node = 'asleep' ORDER BY time;
-- | 0:00:00 | 12 | 10.0 | 10.0 |
-- | 6:00:00 | 12 | 20.0 | 20.0 |
-- given
-- What it had read before it slept waited on its disk.
INSERT INTO telemetry.network (time, node, device, receive_bytes_total, transmit_bytes_total)
SELECT ago(9) + n * interval '5 seconds', 'asleep', 'wlan0', 50 * n, 0 FROM generate_series(12, 719) n;
-- settle
-- expect
SELECT time - ago(9), samples, round(receive_bytes_per_second_avg::numeric, 6) FROM analytics.network_1h WHERE node = 'asleep' ORDER BY time;
-- | 0:00:00 | 720 | 10.000000 |
-- | 6:00:00 | 12 | 20.000000 |
-- expect
SELECT count(*), min(samples), max(samples) FROM analytics.network_1m WHERE node = 'asleep';
-- | 61 | 12 | 12 |
