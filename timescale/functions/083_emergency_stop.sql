-- The last emergency stop, as people read it.
CREATE VIEW analytics.emergency_stop AS
SELECT DISTINCT ON (c.node) c.node, s.stopped_at, c.command_id, c.state, c.acknowledged_at,
  extract(epoch FROM c.acknowledged_at - s.stopped_at)::double precision AS acknowledged_seconds,
  c.finished_at, c.result
FROM fleet.state s JOIN fleet.commands c ON c.verb = 'emergency_stop' AND c.requested_at >= s.stopped_at
ORDER BY c.node, c.number DESC;
COMMENT ON VIEW analytics.emergency_stop IS 'Each machine at the last emergency stop: whether it has acknowledged, and whether its worker has ended.';
COMMENT ON COLUMN analytics.emergency_stop.node IS 'The machine.';
COMMENT ON COLUMN analytics.emergency_stop.stopped_at IS 'When the fleet was stopped.';
COMMENT ON COLUMN analytics.emergency_stop.command_id IS 'The command to its agent, in analytics.commands.';
COMMENT ON COLUMN analytics.emergency_stop.state IS 'requested, acknowledged (the agent ends the worker), done (it has ended), failed, or expired (the node did not answer, or the fleet was resumed before).';
COMMENT ON COLUMN analytics.emergency_stop.acknowledged_at IS 'When its agent acknowledged; NULL: it has not.';
COMMENT ON COLUMN analytics.emergency_stop.acknowledged_seconds IS 'From the stop until then.';
COMMENT ON COLUMN analytics.emergency_stop.finished_at IS 'When its worker had ended; NULL before.';
COMMENT ON COLUMN analytics.emergency_stop.result IS 'What its agent said about how it ended.';
