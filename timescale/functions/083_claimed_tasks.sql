-- What nodes work on now. analytics.tasks has these rows too, but finds them only by reading all that ever were.
CREATE VIEW analytics.claimed_tasks AS
SELECT t.task_id, t.job_id, t.node, t.state::text AS state, t.attempt, t.failures, t.scenario, t.position,
  (SELECT count(*) FROM fleet.turns u WHERE u.task_id = t.task_id) AS turns_written,
  j.min_turns, j.max_turns, j.wanted, j.requested_by, t.claimed_at, t.started_at, t.lease_until
FROM fleet.tasks t JOIN fleet.jobs j USING (job_id) WHERE t.state IN ('claimed', 'running');
COMMENT ON VIEW analytics.claimed_tasks IS 'The tasks that nodes hold now, with what their job asks for.';
COMMENT ON COLUMN analytics.claimed_tasks.task_id IS 'The task: one conversation.';
COMMENT ON COLUMN analytics.claimed_tasks.job_id IS 'Its job.';
COMMENT ON COLUMN analytics.claimed_tasks.node IS 'The machine that holds it.';
COMMENT ON COLUMN analytics.claimed_tasks.state IS 'claimed (not begun) or running (being written).';
COMMENT ON COLUMN analytics.claimed_tasks.attempt IS 'Number of this try, from 1.';
COMMENT ON COLUMN analytics.claimed_tasks.failures IS 'Tries before that failed and count.';
COMMENT ON COLUMN analytics.claimed_tasks.scenario IS 'What the conversation is about.';
COMMENT ON COLUMN analytics.claimed_tasks.position IS 'Place of the task in its job, from 1.';
COMMENT ON COLUMN analytics.claimed_tasks.turns_written IS 'Turns that are stored already, those of tries before included.';
COMMENT ON COLUMN analytics.claimed_tasks.min_turns IS 'Turns that a conversation of the job has at least.';
COMMENT ON COLUMN analytics.claimed_tasks.max_turns IS 'Turns that a conversation of the job has at most.';
COMMENT ON COLUMN analytics.claimed_tasks.wanted IS 'Conversations that the job asks for.';
COMMENT ON COLUMN analytics.claimed_tasks.requested_by IS 'Who ordered the job.';
COMMENT ON COLUMN analytics.claimed_tasks.claimed_at IS 'Since when the node holds it.';
COMMENT ON COLUMN analytics.claimed_tasks.started_at IS 'When writing began, in whichever try; NULL before.';
COMMENT ON COLUMN analytics.claimed_tasks.lease_until IS 'When it is taken back unless the node says before that it still writes.';
