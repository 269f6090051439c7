-- Who is at fault when a conversation fails: the task, or the node whose model server could not answer.
CREATE TABLE fleet.task_failures (
  task_id uuid NOT NULL REFERENCES fleet.tasks,
  attempt integer NOT NULL,
  node text NOT NULL REFERENCES fleet.nodes,
  failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  kind text NOT NULL CHECK (kind ~ '^[a-z][a-z_]{1,40}$'),
  message text NOT NULL,
  counts boolean,
  PRIMARY KEY (task_id, attempt)
);
CREATE INDEX task_failures_undecided ON fleet.task_failures (node, task_id) WHERE counts IS NULL;
CREATE INDEX task_failures_failed_at_idx ON fleet.task_failures (failed_at);
COMMENT ON TABLE fleet.task_failures IS
  'One row an attempt that failed. Whether it counts against the task is decided once the node has shown whether it can write at all.';
COMMENT ON COLUMN fleet.task_failures.kind IS 'What went wrong, in one word: refused_request, not_a_stream, bad_answer, worker_died and so on.';
COMMENT ON COLUMN fleet.task_failures.message IS 'The sentence for people; what a server said is in it without the words of the prompt.';
COMMENT ON COLUMN fleet.task_failures.counts IS
  'NULL until the node has shown whether it can write; true: it could, so the task is at fault; false: the node was.';

ALTER TABLE fleet.nodes ADD COLUMN llm_circuit_opened_at timestamptz;
COMMENT ON COLUMN fleet.nodes.llm_circuit_opened_at IS
  'Since when the node takes no work because its model server fails; NULL while it works.';
-- Its purpose was to keep a node off a task that just failed there.
ALTER TABLE fleet.tasks DROP COLUMN not_before;
COMMENT ON COLUMN fleet.tasks.failures IS
  'Failed attempts that count against the task; see fleet.decide_failures for when it is given up.';
