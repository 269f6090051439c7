-- What people ask of one machine, and how far it has come with it.
CREATE TABLE fleet.commands (
  command_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  node text NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
  verb text NOT NULL CHECK (verb IN ('start', 'stop', 'restart', 'drain')),
  arguments jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(arguments) = 'object'),
  state text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'acknowledged', 'done', 'failed', 'expired')),
  requested_by text NOT NULL,
  reason text NOT NULL DEFAULT '',
  idempotency_key text,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  deadline_at timestamptz NOT NULL,
  acknowledged_at timestamptz,
  finished_at timestamptz,
  result text,
  UNIQUE (requested_by, idempotency_key),
  CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'failed', 'expired')))
);
CREATE INDEX commands_open_idx ON fleet.commands (node, number) WHERE state IN ('requested', 'acknowledged');
COMMENT ON TABLE fleet.commands IS 'Commands to node agents: requested, acknowledged, then done, failed or expired. Obeyed in the order of number.';
COMMENT ON COLUMN fleet.commands.number IS 'The order in which a node obeys.';
COMMENT ON COLUMN fleet.commands.arguments IS 'What the verb needs besides the node; empty for start, stop, restart and drain.';
COMMENT ON COLUMN fleet.commands.idempotency_key IS 'A repeated request of one caller with the same key is the same command.';
COMMENT ON COLUMN fleet.commands.deadline_at IS 'A node that has not begun by then never will: the command expires.';
COMMENT ON COLUMN fleet.commands.result IS 'What the node said about how it ended.';
COMMENT ON INDEX fleet.commands_open_idx IS 'What a node has still to do.';

-- A worker that finishes what it writes, and takes no more, is said to be draining.
ALTER TABLE fleet.nodes DROP CONSTRAINT nodes_worker_state_check;
ALTER TABLE fleet.nodes ADD CONSTRAINT nodes_worker_state_check
  CHECK (worker_state IN ('stopped', 'running', 'restarting', 'draining'));
COMMENT ON CONSTRAINT nodes_worker_state_check ON fleet.nodes IS
  'stopped is on purpose, by a command; restarting is between two runs.';
