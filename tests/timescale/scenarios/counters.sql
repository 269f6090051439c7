-- Counters become rates; where one falls the machine began again, and what happened there is no rate.
-- given
INSERT INTO telemetry.network (time, node, device, receive_bytes_total, transmit_bytes_total)
SELECT ago(3) + n * interval '10 seconds', 'counters', 'eth0', v, 0
FROM unnest(ARRAY[9000, 9100, 9300, 20, 120, 140]) WITH ORDINALITY AS c(v, n);
-- settle
-- expect
SELECT samples, round(receive_bytes_per_second_avg::numeric, 4), receive_bytes_per_second_min, receive_bytes_per_second_max,
  transmit_bytes_per_second_max, receive_errors_per_second_avg
FROM analytics.network_1m WHERE node = 'counters' AND time = ago(3);
-- | 5 | 13.3333 | 10.0 | 20.0 | 0.0 | NULL |
-- expect
SELECT samples, receive_bytes_per_second_avg FROM analytics.network_1m WHERE node = 'counters' AND time > ago(3);
-- | 1 | NULL |
-- expect
SELECT samples, round(receive_bytes_per_second_avg::numeric, 4), receive_bytes_per_second_min, receive_bytes_per_second_max
FROM analytics.network_1h WHERE node = 'counters';
-- | 6 | 13.3333 | 10.0 | 20.0 |
-- given
INSERT INTO telemetry.disk_io (time, node, device, read_bytes_total, written_bytes_total, reads_total, writes_total, busy_seconds_total)
SELECT ago(3) + n * interval '5 seconds', 'counters', 'sda', 1000 * n, 0, n, 0, 2.5 * n FROM generate_series(0, 11) n;
-- settle
-- expect
SELECT read_bytes_per_second_avg, reads_per_second_max, written_bytes_per_second_avg, busy_ratio_avg
FROM analytics.disk_io_1m WHERE node = 'counters';
-- | 200.0 | 0.2 | 0.0 | 0.5 |
