-- Counts are kept while tasks and verdicts change, so that nobody has to read all of them to know how many there are.
CREATE TABLE fleet.count_changes (
  job_id uuid NOT NULL,
  node text,
  scenario text,
  pending integer,
  claimed integer,
  running integer,
  done integer,
  failed integer,
  cancelled integer,
  unjudged integer,
  accepted integer,
  rejected integer,
  prompt_tokens bigint,
  completion_tokens bigint
) WITH (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0);
COMMENT ON TABLE fleet.count_changes IS
  'What has been added to and taken from the counts since fleet.fold_counts; only added to, so that no writer waits for another.';
COMMENT ON COLUMN fleet.count_changes.node IS 'The machine that wrote the conversation; NULL where a task changed.';
COMMENT ON COLUMN fleet.count_changes.scenario IS 'The scenario of the conversation; NULL where a task changed.';

CREATE TABLE fleet.job_totals (
  job_id uuid PRIMARY KEY,
  pending bigint NOT NULL,
  claimed bigint NOT NULL,
  running bigint NOT NULL,
  done bigint NOT NULL,
  failed bigint NOT NULL,
  cancelled bigint NOT NULL,
  unjudged bigint NOT NULL,
  accepted bigint NOT NULL,
  rejected bigint NOT NULL,
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE fleet.job_totals IS 'Tasks and conversations of each job by state, as folded last; fleet.job_counts is what holds now.';
CREATE TABLE fleet.node_totals (
  node text PRIMARY KEY,
  unjudged bigint NOT NULL,
  accepted bigint NOT NULL,
  rejected bigint NOT NULL,
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE fleet.node_totals IS 'Conversations of each node by state, as folded last; fleet.node_counts is what holds now.';
CREATE TABLE fleet.scenario_totals (
  scenario text PRIMARY KEY,
  unjudged bigint NOT NULL,
  accepted bigint NOT NULL,
  rejected bigint NOT NULL,
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE fleet.scenario_totals IS 'Conversations of each scenario by state, as folded last; fleet.scenario_counts is what holds now.';

-- Which states may follow which; triggers refuse anything else, whoever asks.
CREATE TABLE fleet.legal_changes (
  thing text NOT NULL CHECK (thing IN ('job', 'task', 'conversation')),
  state_before text NOT NULL,
  state text NOT NULL,
  meaning text NOT NULL,
  PRIMARY KEY (thing, state_before, state)
);
COMMENT ON TABLE fleet.legal_changes IS 'Which state may follow which, and what that means; each thing begins with the first state of its type.';
INSERT INTO fleet.legal_changes VALUES
  ('job', 'pending', 'running', 'its first tasks are made'),
  ('job', 'pending', 'cancelled', 'a person ended it before it began'),
  ('job', 'running', 'done', 'all its tasks have ended, one or more with a conversation'),
  ('job', 'running', 'failed', 'all its tasks have ended, none with a conversation'),
  ('job', 'running', 'cancelled', 'a person ended it'),
  ('job', 'done', 'running', 'a person has its failed tasks tried again'),
  ('job', 'failed', 'running', 'a person has its failed tasks tried again'),
  ('task', 'pending', 'claimed', 'a worker took it'),
  ('task', 'claimed', 'running', 'the worker begins to write'),
  ('task', 'claimed', 'pending', 'given or taken back before writing began'),
  ('task', 'running', 'pending', 'given or taken back with its turns kept'),
  ('task', 'running', 'done', 'its conversation is stored'),
  ('task', 'pending', 'failed', 'given up after too many failures'),
  ('task', 'failed', 'pending', 'a person has it tried again'),
  ('task', 'pending', 'cancelled', 'its job was cancelled'),
  ('task', 'claimed', 'cancelled', 'its job was cancelled; the worker drops it'),
  ('task', 'running', 'cancelled', 'its job was cancelled; the worker drops it'),
  ('conversation', 'unjudged', 'accepted', 'no check refused it'),
  ('conversation', 'unjudged', 'rejected', 'a check refused it, or it could not be judged');

-- One row a transition: what happened to a task, in order. More than a thousand an hour for each few machines, so kept for weeks.
CREATE TABLE telemetry.task_transitions (
  time timestamptz NOT NULL DEFAULT clock_timestamp(),
  node text,
  task_id uuid NOT NULL,
  job_id uuid NOT NULL,
  attempt integer NOT NULL,
  state_before text NOT NULL,
  state text NOT NULL,
  reason text
);
CREATE INDEX task_transitions_task_id_idx ON telemetry.task_transitions (task_id);
COMMENT ON TABLE telemetry.task_transitions IS 'Each change of the state of a task.';
COMMENT ON INDEX telemetry.task_transitions_task_id_idx IS 'The history of one task.';
INSERT INTO telemetry.levels (table_name, rollup, keys, keep, partition_days) VALUES
  ('task_transitions', NULL, '{}', '30 days', 1);

-- The pace of the fleet comes from the tasks that were written or given up last, not from thousands that were cancelled at once.
DROP INDEX fleet.tasks_finished;
CREATE INDEX tasks_finished ON fleet.tasks (finished_at) WHERE state IN ('done', 'failed');
CREATE INDEX rejections_created_at_idx ON fleet.rejections (created_at);
COMMENT ON INDEX fleet.tasks_finished IS 'The pace of the fleet: the tasks that ended last.';
COMMENT ON INDEX fleet.rejections_created_at_idx IS 'Panels ask for the rejections of a time range.';
