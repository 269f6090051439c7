-- Commands to nodes, as people read them.
CREATE VIEW analytics.commands AS
SELECT c.requested_at AS time, c.node, c.command_id, c.verb, c.arguments, c.state, c.requested_by, c.reason, c.deadline_at,
  c.acknowledged_at, c.finished_at, extract(epoch FROM c.finished_at - c.requested_at)::double precision AS duration_seconds, c.result
FROM fleet.commands c;
COMMENT ON VIEW analytics.commands IS 'What nodes were told to do, and how far they have come with it.';
COMMENT ON COLUMN analytics.commands.time IS 'When it was requested.';
COMMENT ON COLUMN analytics.commands.node IS 'The machine that is to do it.';
COMMENT ON COLUMN analytics.commands.command_id IS 'Its id, as GET /commands/{id} takes it.';
COMMENT ON COLUMN analytics.commands.verb IS 'start, stop, restart, drain (finish what runs, take nothing more, then stop) or emergency_stop.';
COMMENT ON COLUMN analytics.commands.arguments IS 'What the verb needs besides the node; mostly nothing.';
COMMENT ON COLUMN analytics.commands.state IS 'requested, acknowledged (the node has begun), done, failed, or expired (the node did not begin in time).';
COMMENT ON COLUMN analytics.commands.requested_by IS 'Who asked for it.';
COMMENT ON COLUMN analytics.commands.reason IS 'Why, as that person said; empty when nothing was said.';
COMMENT ON COLUMN analytics.commands.deadline_at IS 'A node that has not begun by then never will.';
COMMENT ON COLUMN analytics.commands.acknowledged_at IS 'When the node began; NULL before.';
COMMENT ON COLUMN analytics.commands.finished_at IS 'When it ended, however it did; NULL while it is open.';
COMMENT ON COLUMN analytics.commands.duration_seconds IS 'From request to end; NULL while it is open.';
COMMENT ON COLUMN analytics.commands.result IS 'What the node said about how it ended.';
