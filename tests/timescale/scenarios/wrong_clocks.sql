-- Machines whose clock is years off disturb nobody: their rows are in no level.
-- given
INSERT INTO telemetry.temperatures (time, node, sensor, temperature_celsius)
VALUES ('1970-01-01 00:00:05+00', 'wrong-clock', 'cpu', 40), ('2099-01-01 00:00:05+00', 'wrong-clock', 'cpu', 40),
  (ago(1), 'wrong-clock', 'cpu', 40);
-- settle
-- expect
SELECT time - ago(1), samples FROM analytics.temperatures_1m WHERE node = 'wrong-clock';
-- | 0:00:00 | 1 |
-- expect
SELECT count(*) FROM analytics.temperatures_1h WHERE node = 'wrong-clock';
-- | 1 |
-- expect
SELECT count(*) FROM analytics.temperatures WHERE node = 'wrong-clock' AND time < now();
-- | 1 |
