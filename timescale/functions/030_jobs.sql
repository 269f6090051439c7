-- Jobs: submit, split into tasks, cancel, settle.
CREATE OR REPLACE FUNCTION fleet.submit_job(
  p_scenario text, p_count integer, p_by text,
  p_min_turns integer DEFAULT 6, p_max_turns integer DEFAULT 8, p_priority integer DEFAULT 5
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_mix jsonb;
  v_limit integer := fleet.setting('job_count_max');
  v_job uuid;
BEGIN
  IF p_scenario = 'mixed' THEN
    SELECT jsonb_object_agg(s.scenario, s.weight) INTO v_mix FROM fleet.scenarios s WHERE s.weight > 0;
  ELSE
    SELECT jsonb_build_object(s.scenario, 1) INTO v_mix FROM fleet.scenarios s WHERE s.scenario = p_scenario;
  END IF;
  IF v_mix IS NULL THEN
    RAISE EXCEPTION 'unknown scenario %', p_scenario USING ERRCODE = 'no_data_found',
      HINT = 'Known: mixed, ' || (SELECT string_agg(s.scenario, ', ' ORDER BY s.scenario) FROM fleet.scenarios s);
  END IF;
  IF p_count NOT BETWEEN 1 AND v_limit THEN
    RAISE EXCEPTION 'count must be between 1 and %, not %', v_limit, p_count USING ERRCODE = 'check_violation',
      HINT = 'Submit several jobs, or raise the setting job_count_max.';
  END IF;
  IF p_min_turns < 2 OR p_max_turns < p_min_turns OR p_max_turns > 40 THEN
    RAISE EXCEPTION 'turn limits must be 2 <= min_turns <= max_turns <= 40, not % and %', p_min_turns, p_max_turns
      USING ERRCODE = 'check_violation', HINT = 'Leave them out for 6 to 8 turns.';
  END IF;
  IF p_priority NOT BETWEEN 0 AND 10 THEN
    RAISE EXCEPTION 'priority must be between 0 and 10, not %', p_priority USING ERRCODE = 'check_violation',
      HINT = 'Higher is written first; 5 is usual.';
  END IF;
  INSERT INTO fleet.jobs (mix, wanted, min_turns, max_turns, priority, seed, requested_by)
  VALUES (v_mix, p_count, p_min_turns, p_max_turns, p_priority, (random() * 1e15)::bigint, p_by)
  RETURNING job_id INTO v_job;
  RETURN v_job;
END $$;
COMMENT ON FUNCTION fleet.submit_job(text, integer, text, integer, integer, integer) IS
  'Order conversations of one scenario, or of all by weight (mixed). Errors: unknown scenario, count, turns or priority out of bounds.';

CREATE OR REPLACE FUNCTION fleet.submit_job_once(
  p_key text, p_scenario text, p_count integer, p_by text, p_min_turns integer, p_max_turns integer, p_priority integer
) RETURNS TABLE (job_id uuid, is_new boolean) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  -- The id follows from the key, so that the job itself remembers it.
  v_id uuid := left(encode(sha256(convert_to(p_by || chr(31) || p_key, 'UTF8')), 'hex'), 32)::uuid;
  v_job fleet.jobs;
  v_made uuid;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(v_id::text, 0));
  SELECT * INTO v_job FROM fleet.jobs j WHERE j.job_id = v_id;
  IF v_job.job_id IS NULL THEN
    v_made := fleet.submit_job(p_scenario, p_count, p_by, p_min_turns, p_max_turns, p_priority);
    UPDATE fleet.jobs j SET job_id = v_id WHERE j.job_id = v_made;
  ELSIF (v_job.wanted, v_job.min_turns, v_job.max_turns, v_job.priority)
      IS DISTINCT FROM (p_count, p_min_turns, p_max_turns, p_priority)
      OR (p_scenario = 'mixed') <> ((SELECT count(*) FROM jsonb_object_keys(v_job.mix)) > 1)
      OR (p_scenario <> 'mixed' AND v_job.mix <> jsonb_build_object(p_scenario, 1)) THEN
    RAISE EXCEPTION 'idempotency key % was used for another order', p_key
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Use a new key for a new order.';
  END IF;
  RETURN QUERY SELECT v_id, v_job.job_id IS NULL;
END $$;
COMMENT ON FUNCTION fleet.submit_job_once(text, text, integer, text, integer, integer, integer) IS
  'submit_job under a key of the caller: a repeated call gives the same job. Errors: those of submit_job, key used for another order.';

CREATE OR REPLACE FUNCTION fleet.split_jobs(p_limit integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_job fleet.jobs;
  v_made integer := 0;
  v_now integer;
BEGIN
  FOR v_job IN
    SELECT * FROM fleet.jobs j WHERE j.state IN ('pending', 'running') AND j.split < j.wanted
    ORDER BY j.priority DESC, j.rank FOR NO KEY UPDATE SKIP LOCKED
  LOOP
    EXIT WHEN v_made >= p_limit;
    v_now := least(v_job.wanted - v_job.split, p_limit - v_made);
    -- Golden-ratio steps visit the cumulated weights evenly, so that also a short job has its mix.
    INSERT INTO fleet.tasks (job_id, position, scenario, seed)
    SELECT v_job.job_id, p.position,
      (SELECT w.scenario FROM (
         SELECT m.key AS scenario, sum(m.value::double precision) OVER (ORDER BY m.key) AS upper,
           sum(m.value::double precision) OVER () AS total
         FROM jsonb_each_text(v_job.mix) m) w
       WHERE w.upper >= w.total * ((p.position * 0.6180339887498949) - floor(p.position * 0.6180339887498949))
       ORDER BY w.upper LIMIT 1),
      v_job.seed + p.position
    FROM generate_series(v_job.split + 1, v_job.split + v_now) AS p(position);
    UPDATE fleet.jobs SET split = split + v_now, state = 'running' WHERE job_id = v_job.job_id;
    v_made := v_made + v_now;
  END LOOP;
  IF v_made > 0 THEN
    PERFORM pg_notify('fleet_work', 'tasks');
  END IF;
  RETURN v_made;
END $$;
COMMENT ON FUNCTION fleet.split_jobs(integer) IS 'Make at most p_limit tasks out of open jobs, in queue order; returns how many.';

CREATE OR REPLACE FUNCTION fleet.cancel_job(p_job uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_state fleet.job_state;
  v_cancelled integer;
BEGIN
  -- NO KEY: finish_task's foreign key must not wait for us while we wait for its task.
  SELECT j.state INTO v_state FROM fleet.jobs j WHERE j.job_id = p_job FOR NO KEY UPDATE;
  IF v_state IS NULL THEN
    RAISE EXCEPTION 'no job %', p_job USING ERRCODE = 'no_data_found', HINT = 'See analytics.jobs.';
  ELSIF v_state NOT IN ('pending', 'running') THEN
    RAISE EXCEPTION 'job % is already %', p_job, v_state USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  UPDATE fleet.tasks SET state = 'cancelled', lease_until = NULL, finished_at = now()
  WHERE job_id = p_job AND state IN ('pending', 'claimed', 'running');
  GET DIAGNOSTICS v_cancelled = ROW_COUNT;
  UPDATE fleet.jobs SET state = 'cancelled', finished_at = now() WHERE job_id = p_job;
  PERFORM pg_notify('fleet_work', 'cancelled');
  RETURN v_cancelled;
END $$;
COMMENT ON FUNCTION fleet.cancel_job(uuid) IS
  'End a job; its open tasks are cancelled, running conversations are dropped by their workers. Errors: no such job, already ended.';

CREATE OR REPLACE FUNCTION fleet.settle_jobs() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_job uuid;
  v_settled integer := 0;
BEGIN
  -- The counts name those that may have ended; of these alone tasks are looked up.
  FOR v_job IN
    SELECT j.job_id FROM fleet.jobs j JOIN fleet.job_counts c USING (job_id)
    WHERE j.state = 'running' AND j.split = j.wanted AND c.pending + c.claimed + c.running = 0
  LOOP
    UPDATE fleet.jobs j SET finished_at = now(), state = CASE
      WHEN EXISTS (SELECT FROM fleet.conversations c WHERE c.job_id = v_job) THEN 'done' ELSE 'failed' END::fleet.job_state
    WHERE j.job_id = v_job AND j.state = 'running'
      AND NOT EXISTS (SELECT FROM fleet.tasks t WHERE t.job_id = v_job AND t.state IN ('pending', 'claimed', 'running'));
    v_settled := v_settled + FOUND::integer;
  END LOOP;
  RETURN v_settled;
END $$;
COMMENT ON FUNCTION fleet.settle_jobs() IS 'Close jobs whose tasks have all ended: failed when none succeeded, else done.';
