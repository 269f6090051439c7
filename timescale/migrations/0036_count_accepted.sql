-- A job may count accepted conversations instead of written ones, within a budget; conversations may have 60 turns.
ALTER TABLE fleet.jobs
  ADD COLUMN counts text NOT NULL DEFAULT 'written' CHECK (counts IN ('written', 'accepted')),
  ADD COLUMN budget integer NOT NULL DEFAULT 1 CHECK (budget BETWEEN 1 AND 20),
  ADD COLUMN ordered jsonb;
ALTER TABLE fleet.jobs
  ADD COLUMN tasks_max integer NOT NULL GENERATED ALWAYS AS (least(wanted::bigint * budget, 2147483647)::integer) STORED,
  ADD CONSTRAINT jobs_written_budget_check CHECK (counts = 'accepted' OR budget = 1);
DO $$
DECLARE
  v_name text;
BEGIN
  -- Those of the turns and of the split, which have no names of their own.
  FOR v_name IN
    SELECT c.conname FROM pg_constraint c
    WHERE c.conrelid = 'fleet.jobs'::regclass AND c.contype = 'c' AND cardinality(c.conkey) = 2 AND c.conname <> 'jobs_written_budget_check'
  LOOP
    EXECUTE format('ALTER TABLE fleet.jobs DROP CONSTRAINT %I', v_name);
  END LOOP;
END $$;
ALTER TABLE fleet.jobs
  ADD CONSTRAINT jobs_max_turns_check CHECK (max_turns >= min_turns AND max_turns <= 60),
  ADD CONSTRAINT jobs_split_check CHECK (split BETWEEN 0 AND tasks_max);
COMMENT ON COLUMN fleet.jobs.wanted IS 'Conversations to write, or to have accepted: see counts.';
COMMENT ON COLUMN fleet.jobs.counts IS
  'written: it ends when the wanted number is written, whatever quality says; accepted: when so many are accepted, or its budget is used.';
COMMENT ON COLUMN fleet.jobs.budget IS 'At most so many times the wanted number are written; 1 where it counts written ones.';
COMMENT ON COLUMN fleet.jobs.tasks_max IS 'The most tasks that it may have: wanted x budget.';
COMMENT ON COLUMN fleet.jobs.split IS 'How many tasks it has so far.';
COMMENT ON COLUMN fleet.jobs.ordered IS 'The order as it was given under a key, to know it again; NULL without a key.';
