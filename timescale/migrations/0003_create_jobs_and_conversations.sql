-- What is to be written, who writes it, and what came of it.
CREATE TYPE fleet.job_state AS ENUM ('pending', 'running', 'done', 'failed', 'cancelled');
COMMENT ON TYPE fleet.job_state IS 'pending -> running (first task split) -> done | failed (no task succeeded) | cancelled.';
CREATE TYPE fleet.task_state AS ENUM ('pending', 'claimed', 'running', 'done', 'failed', 'cancelled');
COMMENT ON TYPE fleet.task_state IS 'pending -> claimed (lease) -> running -> done | failed (dead letter) | cancelled; lost or released -> pending.';
CREATE TYPE fleet.conversation_state AS ENUM ('unjudged', 'accepted', 'rejected');
COMMENT ON TYPE fleet.conversation_state IS 'unjudged -> accepted | rejected, by store_verdict, once.';

CREATE TABLE fleet.scenarios (
  scenario text PRIMARY KEY CHECK (scenario ~ '^[a-z][a-z0-9_]{1,60}$'),
  title text NOT NULL,
  is_healthcare boolean NOT NULL,
  definition jsonb NOT NULL,
  weight double precision NOT NULL DEFAULT 1 CHECK (weight >= 0)
);
COMMENT ON TABLE fleet.scenarios IS 'Kinds of calls, loaded from data files: personas, goal, facts, required phases.';

CREATE TABLE fleet.prompts (
  prompt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  version integer NOT NULL,
  method text NOT NULL CHECK (method IN ('one_shot', 'self_play')),
  template text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (name, version)
);
COMMENT ON TABLE fleet.prompts IS 'Jinja2 templates, one row a version; the newest version of a name is used.';

CREATE TABLE fleet.jobs (
  job_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  mix jsonb NOT NULL,
  wanted integer NOT NULL CHECK (wanted > 0),
  min_turns integer NOT NULL CHECK (min_turns >= 2),
  max_turns integer NOT NULL CHECK (max_turns >= min_turns AND max_turns <= 40),
  priority integer NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 10),
  rank bigint GENERATED ALWAYS AS IDENTITY,
  state fleet.job_state NOT NULL DEFAULT 'pending',
  is_paused boolean NOT NULL DEFAULT false,
  seed bigint NOT NULL,
  split integer NOT NULL DEFAULT 0 CHECK (split BETWEEN 0 AND wanted),
  requested_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE INDEX jobs_open ON fleet.jobs (priority DESC, rank) WHERE state IN ('pending', 'running');
COMMENT ON TABLE fleet.jobs IS 'An order for conversations: scenario weights, count, turn limits, priority.';
COMMENT ON COLUMN fleet.jobs.mix IS 'Scenario name -> weight.';
COMMENT ON COLUMN fleet.jobs.wanted IS 'Conversations to write, whatever quality says of them.';
COMMENT ON COLUMN fleet.jobs.split IS 'How many of the wanted conversations are tasks already.';

CREATE TABLE fleet.tasks (
  task_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  job_id uuid NOT NULL REFERENCES fleet.jobs,
  position integer NOT NULL,
  scenario text NOT NULL REFERENCES fleet.scenarios,
  seed bigint NOT NULL,
  state fleet.task_state NOT NULL DEFAULT 'pending',
  attempt integer NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  not_before timestamptz NOT NULL DEFAULT now(),
  node text REFERENCES fleet.nodes,
  worker_id uuid,
  lease_until timestamptz,
  prompt_id bigint REFERENCES fleet.prompts,
  persona jsonb,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  claimed_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  UNIQUE (job_id, position),
  CONSTRAINT tasks_lease_check CHECK ((state IN ('claimed', 'running')) = (lease_until IS NOT NULL))
);
CREATE INDEX tasks_pending ON fleet.tasks (job_id, position) WHERE state = 'pending';
CREATE INDEX tasks_leased ON fleet.tasks (lease_until) WHERE state IN ('claimed', 'running');
CREATE INDEX tasks_finished ON fleet.tasks (finished_at) WHERE finished_at IS NOT NULL;
COMMENT ON TABLE fleet.tasks IS 'One conversation to write; claimed under a lease, fenced by (worker_id, attempt).';
COMMENT ON COLUMN fleet.tasks.attempt IS 'Raised at each claim; a writer with an older number is refused.';
COMMENT ON COLUMN fleet.tasks.failures IS 'Attempts that failed or were lost; at the setting task_attempts_max the task is dead-lettered.';
COMMENT ON COLUMN fleet.tasks.persona IS 'Invented values (names, numbers) chosen at the first start; kept so that a conversation can continue elsewhere.';
