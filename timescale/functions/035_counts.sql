-- Counts: kept by triggers while tasks and conversations change, folded by the master; legal changes of state, and their log.
CREATE OR REPLACE FUNCTION fleet.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND EXISTS (SELECT FROM fleet.legal_changes l
      WHERE l.thing = TG_ARGV[0] AND l.state_before = OLD.state::text AND l.state = NEW.state::text) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% % cannot become %: it is %', TG_ARGV[0], to_jsonb(NEW) ->> (TG_ARGV[0] || '_id'), NEW.state,
    CASE TG_OP WHEN 'UPDATE' THEN to_jsonb(OLD) ->> 'state' ELSE 'new' END
    USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'What may follow what stands in fleet.legal_changes.';
END $$;
COMMENT ON FUNCTION fleet.refuse_change() IS 'Trigger: a state that may not follow the one before is refused.';

CREATE OR REPLACE TRIGGER jobs_legal_change BEFORE UPDATE ON fleet.jobs
FOR EACH ROW WHEN (old.state IS DISTINCT FROM new.state) EXECUTE FUNCTION fleet.refuse_change('job');
CREATE OR REPLACE TRIGGER jobs_legal_start BEFORE INSERT ON fleet.jobs
FOR EACH ROW WHEN (new.state <> 'pending') EXECUTE FUNCTION fleet.refuse_change('job');
CREATE OR REPLACE TRIGGER tasks_legal_change BEFORE UPDATE ON fleet.tasks
FOR EACH ROW WHEN (old.state IS DISTINCT FROM new.state) EXECUTE FUNCTION fleet.refuse_change('task');
CREATE OR REPLACE TRIGGER tasks_legal_start BEFORE INSERT ON fleet.tasks
FOR EACH ROW WHEN (new.state <> 'pending') EXECUTE FUNCTION fleet.refuse_change('task');
CREATE OR REPLACE TRIGGER conversations_legal_change BEFORE UPDATE ON fleet.conversations
FOR EACH ROW WHEN (old.state IS DISTINCT FROM new.state) EXECUTE FUNCTION fleet.refuse_change('conversation');
CREATE OR REPLACE TRIGGER conversations_legal_start BEFORE INSERT ON fleet.conversations
FOR EACH ROW WHEN (new.state <> 'unjudged') EXECUTE FUNCTION fleet.refuse_change('conversation');

CREATE OR REPLACE FUNCTION fleet.count_new_tasks() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO fleet.count_changes (job_id, pending) SELECT a.job_id, count(*) FROM added a GROUP BY a.job_id;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.count_new_tasks() IS 'Trigger: count the tasks that a statement has made.';
CREATE OR REPLACE TRIGGER tasks_count_new AFTER INSERT ON fleet.tasks
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION fleet.count_new_tasks();

CREATE OR REPLACE FUNCTION fleet.count_task() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO fleet.count_changes (job_id, pending, claimed, running, done, failed, cancelled)
  VALUES (NEW.job_id,
    (NEW.state = 'pending')::integer - (OLD.state = 'pending')::integer,
    (NEW.state = 'claimed')::integer - (OLD.state = 'claimed')::integer,
    (NEW.state = 'running')::integer - (OLD.state = 'running')::integer,
    (NEW.state = 'done')::integer - (OLD.state = 'done')::integer,
    (NEW.state = 'failed')::integer - (OLD.state = 'failed')::integer,
    (NEW.state = 'cancelled')::integer - (OLD.state = 'cancelled')::integer);
  INSERT INTO telemetry.task_transitions (node, task_id, job_id, attempt, state_before, state, reason)
  VALUES (NEW.node, NEW.task_id, NEW.job_id, NEW.attempt, OLD.state, NEW.state,
    CASE WHEN NEW.state IN ('pending', 'failed') THEN NEW.error END);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.count_task() IS 'Trigger: count a task by its new state, and log the change.';
CREATE OR REPLACE TRIGGER tasks_count AFTER UPDATE ON fleet.tasks
FOR EACH ROW WHEN (old.state IS DISTINCT FROM new.state) EXECUTE FUNCTION fleet.count_task();

CREATE OR REPLACE FUNCTION fleet.count_conversation() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO fleet.count_changes (job_id, node, scenario, unjudged, prompt_tokens, completion_tokens)
    VALUES (NEW.job_id, NEW.node, NEW.scenario, 1, NEW.prompt_tokens, NEW.completion_tokens);
  ELSE
    INSERT INTO fleet.count_changes (job_id, node, scenario, unjudged, accepted, rejected)
    VALUES (NEW.job_id, NEW.node, NEW.scenario, -1, (NEW.state = 'accepted')::integer, (NEW.state = 'rejected')::integer);
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.count_conversation() IS 'Trigger: count a conversation that is new, or has its verdict.';
CREATE OR REPLACE TRIGGER conversations_count_new AFTER INSERT ON fleet.conversations
FOR EACH ROW EXECUTE FUNCTION fleet.count_conversation();
CREATE OR REPLACE TRIGGER conversations_count AFTER UPDATE ON fleet.conversations
FOR EACH ROW WHEN (old.state IS DISTINCT FROM new.state) EXECUTE FUNCTION fleet.count_conversation();

-- What holds now: totals, and what has changed since they were made.
DROP VIEW IF EXISTS fleet.job_counts, fleet.node_counts, fleet.scenario_counts;
CREATE VIEW fleet.job_counts AS
SELECT c.job_id, coalesce(sum(c.pending), 0)::bigint AS pending, coalesce(sum(c.claimed), 0)::bigint AS claimed,
  coalesce(sum(c.running), 0)::bigint AS running, coalesce(sum(c.done), 0)::bigint AS done,
  coalesce(sum(c.failed), 0)::bigint AS failed, coalesce(sum(c.cancelled), 0)::bigint AS cancelled,
  coalesce(sum(c.unjudged), 0)::bigint AS unjudged, coalesce(sum(c.accepted), 0)::bigint AS accepted,
  coalesce(sum(c.rejected), 0)::bigint AS rejected, coalesce(sum(c.prompt_tokens), 0)::bigint AS prompt_tokens,
  coalesce(sum(c.completion_tokens), 0)::bigint AS completion_tokens
FROM (
  SELECT job_id, pending, claimed, running, done, failed, cancelled, unjudged, accepted, rejected, prompt_tokens, completion_tokens
  FROM fleet.job_totals
  UNION ALL
  SELECT job_id, pending, claimed, running, done, failed, cancelled, unjudged, accepted, rejected, prompt_tokens, completion_tokens
  FROM fleet.count_changes) c
GROUP BY c.job_id;
COMMENT ON VIEW fleet.job_counts IS 'Tasks of each job by state, its conversations by state, and their tokens.';

CREATE VIEW fleet.node_counts AS
SELECT c.node, coalesce(sum(c.unjudged), 0)::bigint AS unjudged, coalesce(sum(c.accepted), 0)::bigint AS accepted,
  coalesce(sum(c.rejected), 0)::bigint AS rejected, coalesce(sum(c.prompt_tokens), 0)::bigint AS prompt_tokens,
  coalesce(sum(c.completion_tokens), 0)::bigint AS completion_tokens
FROM (
  SELECT node, unjudged, accepted, rejected, prompt_tokens, completion_tokens FROM fleet.node_totals
  UNION ALL
  SELECT node, unjudged, accepted, rejected, prompt_tokens, completion_tokens FROM fleet.count_changes WHERE node IS NOT NULL) c
GROUP BY c.node;
COMMENT ON VIEW fleet.node_counts IS 'Conversations that each node wrote by state, and their tokens.';

CREATE VIEW fleet.scenario_counts AS
SELECT c.scenario, coalesce(sum(c.unjudged), 0)::bigint AS unjudged, coalesce(sum(c.accepted), 0)::bigint AS accepted,
  coalesce(sum(c.rejected), 0)::bigint AS rejected, coalesce(sum(c.prompt_tokens), 0)::bigint AS prompt_tokens,
  coalesce(sum(c.completion_tokens), 0)::bigint AS completion_tokens
FROM (
  SELECT scenario, unjudged, accepted, rejected, prompt_tokens, completion_tokens FROM fleet.scenario_totals
  UNION ALL
  SELECT scenario, unjudged, accepted, rejected, prompt_tokens, completion_tokens FROM fleet.count_changes
  WHERE scenario IS NOT NULL) c
GROUP BY c.scenario;
COMMENT ON VIEW fleet.scenario_counts IS 'Conversations of each scenario by state, and their tokens.';

CREATE OR REPLACE FUNCTION fleet.fold_counts() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_folded bigint;
BEGIN
  -- One at a time; whoever comes second has nothing to do.
  IF NOT pg_try_advisory_xact_lock(hashtext('fleet.fold_counts')) THEN
    RETURN 0;
  END IF;
  WITH folded AS (
    DELETE FROM fleet.count_changes RETURNING *
  ), jobs AS (
    INSERT INTO fleet.job_totals AS t
    SELECT f.job_id, coalesce(sum(f.pending), 0), coalesce(sum(f.claimed), 0), coalesce(sum(f.running), 0), coalesce(sum(f.done), 0),
      coalesce(sum(f.failed), 0), coalesce(sum(f.cancelled), 0), coalesce(sum(f.unjudged), 0), coalesce(sum(f.accepted), 0),
      coalesce(sum(f.rejected), 0), coalesce(sum(f.prompt_tokens), 0), coalesce(sum(f.completion_tokens), 0)
    FROM folded f GROUP BY f.job_id
    ON CONFLICT (job_id) DO UPDATE SET pending = t.pending + excluded.pending, claimed = t.claimed + excluded.claimed,
      running = t.running + excluded.running, done = t.done + excluded.done, failed = t.failed + excluded.failed,
      cancelled = t.cancelled + excluded.cancelled, unjudged = t.unjudged + excluded.unjudged,
      accepted = t.accepted + excluded.accepted, rejected = t.rejected + excluded.rejected,
      prompt_tokens = t.prompt_tokens + excluded.prompt_tokens, completion_tokens = t.completion_tokens + excluded.completion_tokens
  ), nodes AS (
    INSERT INTO fleet.node_totals AS t
    SELECT f.node, coalesce(sum(f.unjudged), 0), coalesce(sum(f.accepted), 0), coalesce(sum(f.rejected), 0),
      coalesce(sum(f.prompt_tokens), 0), coalesce(sum(f.completion_tokens), 0)
    FROM folded f WHERE f.node IS NOT NULL GROUP BY f.node
    ON CONFLICT (node) DO UPDATE SET unjudged = t.unjudged + excluded.unjudged,
      accepted = t.accepted + excluded.accepted, rejected = t.rejected + excluded.rejected,
      prompt_tokens = t.prompt_tokens + excluded.prompt_tokens, completion_tokens = t.completion_tokens + excluded.completion_tokens
  ), scenarios AS (
    INSERT INTO fleet.scenario_totals AS t
    SELECT f.scenario, coalesce(sum(f.unjudged), 0), coalesce(sum(f.accepted), 0), coalesce(sum(f.rejected), 0),
      coalesce(sum(f.prompt_tokens), 0), coalesce(sum(f.completion_tokens), 0)
    FROM folded f WHERE f.scenario IS NOT NULL GROUP BY f.scenario
    ON CONFLICT (scenario) DO UPDATE SET unjudged = t.unjudged + excluded.unjudged,
      accepted = t.accepted + excluded.accepted, rejected = t.rejected + excluded.rejected,
      prompt_tokens = t.prompt_tokens + excluded.prompt_tokens, completion_tokens = t.completion_tokens + excluded.completion_tokens
  )
  SELECT count(*) INTO v_folded FROM folded;
  RETURN v_folded;
END $$;
COMMENT ON FUNCTION fleet.fold_counts() IS
  'Add to the totals what has changed since; readers see the same before and after. The master calls it each round, so that there is little to add up. Returns how many changes.';

CREATE OR REPLACE FUNCTION fleet.recount() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  LOCK TABLE fleet.tasks, fleet.conversations, fleet.count_changes IN SHARE ROW EXCLUSIVE MODE;
  DELETE FROM fleet.count_changes;
  DELETE FROM fleet.job_totals;
  DELETE FROM fleet.node_totals;
  DELETE FROM fleet.scenario_totals;
  INSERT INTO fleet.count_changes (job_id, pending, claimed, running, done, failed, cancelled)
  SELECT t.job_id, count(*) FILTER (WHERE t.state = 'pending'), count(*) FILTER (WHERE t.state = 'claimed'),
    count(*) FILTER (WHERE t.state = 'running'), count(*) FILTER (WHERE t.state = 'done'),
    count(*) FILTER (WHERE t.state = 'failed'), count(*) FILTER (WHERE t.state = 'cancelled')
  FROM fleet.tasks t GROUP BY t.job_id;
  INSERT INTO fleet.count_changes (job_id, node, scenario, unjudged, accepted, rejected, prompt_tokens, completion_tokens)
  SELECT c.job_id, c.node, c.scenario, count(*) FILTER (WHERE c.state = 'unjudged'), count(*) FILTER (WHERE c.state = 'accepted'),
    count(*) FILTER (WHERE c.state = 'rejected'), sum(c.prompt_tokens), sum(c.completion_tokens)
  FROM fleet.conversations c GROUP BY c.job_id, c.node, c.scenario;
  PERFORM fleet.fold_counts();
END $$;
COMMENT ON FUNCTION fleet.recount() IS
  'Count everything anew; writers wait. Needed only after rows were written or removed past the triggers.';
DO $$ BEGIN
  -- A database from before the counts.
  IF EXISTS (SELECT FROM fleet.tasks)
      AND NOT EXISTS (SELECT FROM fleet.job_totals) AND NOT EXISTS (SELECT FROM fleet.count_changes) THEN
    PERFORM fleet.recount();
  END IF;
END $$;
