-- Turns that a check refused while they were written, and what a conversation cost with them.
ALTER TABLE fleet.prompts DROP CONSTRAINT prompts_method_check;
ALTER TABLE fleet.prompts ADD CONSTRAINT prompts_method_check CHECK (method IN ('one_shot', 'line_by_line', 'self_play'));
COMMENT ON COLUMN fleet.prompts.method IS
  'How it is used: one_shot (all turns in one call), line_by_line (one call a turn, where the server continues an answer), self_play.';

ALTER TABLE fleet.tasks ADD COLUMN restarts integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN fleet.tasks.restarts IS 'How often its turns were dropped to begin again with another persona.';

CREATE TABLE fleet.turn_tries (
  request_id uuid PRIMARY KEY,
  task_id uuid NOT NULL REFERENCES fleet.tasks,
  restart integer NOT NULL CHECK (restart >= 0),
  position integer NOT NULL CHECK (position > 0),
  try integer NOT NULL CHECK (try > 0),
  node text NOT NULL REFERENCES fleet.nodes,
  reason text NOT NULL CHECK (reason ~ '^[a-z_]{1,40}$'),
  completion_tokens bigint NOT NULL,
  duration_seconds double precision NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX turn_tries_task_id_idx ON fleet.turn_tries (task_id);
CREATE INDEX turn_tries_created_at_idx ON fleet.turn_tries (created_at);
COMMENT ON TABLE fleet.turn_tries IS 'Each turn that a check refused before it was stored; its words are kept nowhere.';
COMMENT ON COLUMN fleet.turn_tries.request_id IS 'The call to the model server that wrote it.';
COMMENT ON COLUMN fleet.turn_tries.restart IS 'How often the conversation had started over by then.';
COMMENT ON COLUMN fleet.turn_tries.try IS 'From 1 at each position and restart.';
COMMENT ON COLUMN fleet.turn_tries.completion_tokens IS 'Tokens of this turn alone.';
COMMENT ON COLUMN fleet.turn_tries.duration_seconds IS 'Seconds that the model server spent on this turn alone.';

ALTER TABLE fleet.conversations DROP CONSTRAINT conversations_turns_check;
ALTER TABLE fleet.conversations ADD CONSTRAINT conversations_turns_check CHECK (turns >= 0);
ALTER TABLE fleet.conversations ADD COLUMN tries integer NOT NULL DEFAULT 0;
ALTER TABLE fleet.conversations ADD COLUMN generation_seconds double precision NOT NULL DEFAULT 0;
COMMENT ON COLUMN fleet.conversations.turns IS 'Turns that are kept; none when a check refused every first turn.';
COMMENT ON COLUMN fleet.conversations.tries IS 'Turns that a check refused while it was written.';
COMMENT ON COLUMN fleet.conversations.generation_seconds IS 'Seconds of all calls for its task.';
UPDATE fleet.conversations c SET generation_seconds =
  (SELECT coalesce(sum(r.duration_seconds), 0) FROM telemetry.llm_requests r WHERE r.task_id = c.task_id);

-- It returns more now; in a new database there is none yet.
DROP FUNCTION IF EXISTS fleet.start_task(uuid, uuid, integer, bigint, jsonb);
