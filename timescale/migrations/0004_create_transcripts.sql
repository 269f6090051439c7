-- Conversations, their turns, and what quality said of them.
CREATE TABLE fleet.conversations (
  conversation_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  task_id uuid NOT NULL UNIQUE REFERENCES fleet.tasks,
  job_id uuid NOT NULL REFERENCES fleet.jobs,
  node text NOT NULL REFERENCES fleet.nodes,
  model text NOT NULL,
  scenario text NOT NULL REFERENCES fleet.scenarios,
  prompt_id bigint NOT NULL REFERENCES fleet.prompts,
  persona jsonb NOT NULL,
  state fleet.conversation_state NOT NULL DEFAULT 'unjudged',
  turns integer NOT NULL CHECK (turns > 0),
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  content_hash bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  judging_worker_id uuid,
  judging_until timestamptz,
  judging_attempts integer NOT NULL DEFAULT 0,
  judged_by text REFERENCES fleet.nodes,
  judged_at timestamptz
);
CREATE UNIQUE INDEX conversations_content_hash_key ON fleet.conversations (content_hash) WHERE state = 'accepted';
CREATE INDEX conversations_unjudged ON fleet.conversations (created_at) WHERE state = 'unjudged';
CREATE INDEX conversations_job_id_idx ON fleet.conversations (job_id);
CREATE INDEX conversations_created_at_idx ON fleet.conversations (created_at);
CREATE INDEX conversations_node_idx ON fleet.conversations (node);
COMMENT ON TABLE fleet.conversations IS 'Finished conversations; two accepted ones never share a content hash.';
COMMENT ON COLUMN fleet.conversations.content_hash IS 'sha256 of the normalised, scrubbed, role-tagged text.';

CREATE TABLE fleet.turns (
  task_id uuid NOT NULL REFERENCES fleet.tasks,
  position integer NOT NULL CHECK (position > 0),
  speaker text NOT NULL CHECK (speaker IN ('agent', 'customer')),
  text text NOT NULL CHECK (text <> ''),
  text_scrubbed text,
  attempt integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (task_id, position)
);
COMMENT ON TABLE fleet.turns IS 'Turns as they were written, draft ones of running tasks included; text is raw and never leaves this schema.';
COMMENT ON COLUMN fleet.turns.text_scrubbed IS 'The text with personal values masked as [PII]; NULL until quality has scrubbed it.';

CREATE TABLE fleet.grades (
  conversation_id uuid PRIMARY KEY REFERENCES fleet.conversations,
  judge text NOT NULL,
  checks_passed integer NOT NULL,
  checks_total integer NOT NULL CHECK (checks_total >= checks_passed),
  realness double precision CHECK (realness BETWEEN 1 AND 10),
  coherence double precision CHECK (coherence BETWEEN 1 AND 10),
  naturalness double precision CHECK (naturalness BETWEEN 1 AND 10),
  healthcare_valid boolean,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fleet.grades IS 'What the checks and the judge found; scores stay NULL where no judge looked.';

CREATE TABLE fleet.rejections (
  conversation_id uuid PRIMARY KEY REFERENCES fleet.conversations,
  reason text NOT NULL,
  stage text NOT NULL CHECK (stage IN ('shape', 'checks', 'duplicate')),
  evidence text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fleet.rejections IS 'One reason a rejected conversation, with its stage and scrubbed evidence.';
