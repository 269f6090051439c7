-- Comments on what the queue shows of itself.
COMMENT ON VIEW analytics.task_transitions IS 'Each change of the state of a task, of the last 30 days: the history of a conversation that is being written.';
COMMENT ON COLUMN analytics.task_transitions.time IS 'When it changed.';
COMMENT ON COLUMN analytics.task_transitions.node IS 'Machine that had claimed it last; NULL before the first claim.';
COMMENT ON COLUMN analytics.task_transitions.task_id IS 'The task.';
COMMENT ON COLUMN analytics.task_transitions.job_id IS 'The job of the task.';
COMMENT ON COLUMN analytics.task_transitions.attempt IS 'How often it had been claimed.';
COMMENT ON COLUMN analytics.task_transitions.state_before IS 'pending, claimed, running or failed.';
COMMENT ON COLUMN analytics.task_transitions.state IS 'What it became: pending, claimed, running, done, failed (given up) or cancelled.';
COMMENT ON COLUMN analytics.task_transitions.reason IS 'Why it was given or taken back, or given up, without the words of the conversation.';
