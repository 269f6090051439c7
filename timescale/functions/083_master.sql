-- The master and the calendars, as people read them.
CREATE VIEW analytics.master AS
SELECT l.epoch, l.master_id, l.leading_since, l.lease_until, l.lease_until > now() AS is_leading, l.failed_over_at FROM fleet.leader l;
COMMENT ON VIEW analytics.master IS 'One row: which master leads.';
COMMENT ON COLUMN analytics.master.epoch IS 'Its term; raised at each change of the leader.';
COMMENT ON COLUMN analytics.master.master_id IS 'The process that leads; NULL once it has given the lead up and nobody has taken it.';
COMMENT ON COLUMN analytics.master.leading_since IS 'When it began to lead.';
COMMENT ON COLUMN analytics.master.lease_until IS 'Until when it leads if it says nothing more; a standby takes over then.';
COMMENT ON COLUMN analytics.master.is_leading IS 'False while nobody leads: no task is made, none is taken back.';
COMMENT ON COLUMN analytics.master.failed_over_at IS 'When a standby took over last from a master that had fallen silent; NULL: never.';

CREATE VIEW analytics.master_rounds AS SELECT r.epoch, r.time AS told_at, r.sentence FROM fleet.master_rounds r;
COMMENT ON VIEW analytics.master_rounds IS 'What the master did in its last 1000 rounds in which there was something to do.';
COMMENT ON COLUMN analytics.master_rounds.told_at IS 'When it had done it.';
COMMENT ON COLUMN analytics.master_rounds.epoch IS 'The term of the master that did it.';
COMMENT ON COLUMN analytics.master_rounds.sentence IS 'What it did, and why.';

CREATE VIEW analytics.node_calendar AS
SELECT c.node, c.position, c.weekdays, c.off_from, c.off_to, c.time_zone FROM fleet.node_calendar c;
COMMENT ON VIEW analytics.node_calendar IS 'Times at which a machine is off on purpose: nobody misses it then.';
COMMENT ON COLUMN analytics.node_calendar.node IS 'The machine.';
COMMENT ON COLUMN analytics.node_calendar.position IS 'Which of its times, as they were given.';
COMMENT ON COLUMN analytics.node_calendar.weekdays IS 'Days on which it begins: 1 is Monday, 7 is Sunday.';
COMMENT ON COLUMN analytics.node_calendar.off_from IS 'Its beginning, by the clock of the time zone.';
COMMENT ON COLUMN analytics.node_calendar.off_to IS 'Its end; where that is not after the beginning, on the next day.';
COMMENT ON COLUMN analytics.node_calendar.time_zone IS 'Whose clock it goes by, such as Europe/Berlin.';
