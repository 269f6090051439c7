-- Jobs: submit, split into tasks, settle. What people do with them meanwhile stands in 032_steer_jobs.sql.
CREATE OR REPLACE FUNCTION fleet.check_priority(p_priority integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_priority IS NULL OR p_priority NOT BETWEEN 0 AND 10 THEN
    RAISE EXCEPTION 'priority must be between 0 and 10, not %', p_priority USING ERRCODE = 'check_violation',
      HINT = 'Higher is written first; 5 is usual.';
  END IF;
END $$;
COMMENT ON FUNCTION fleet.check_priority(integer) IS 'An error where it is no priority.';

CREATE OR REPLACE FUNCTION fleet.next_place(p_job fleet.jobs) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
  SELECT p_job.place_offset + coalesce(
    (SELECT t.place FROM fleet.tasks t WHERE t.job_id = p_job.job_id AND t.state = 'pending' ORDER BY t.place LIMIT 1),
    CASE WHEN p_job.split < p_job.wanted THEN p_job.split + 1 END);
$$;
COMMENT ON FUNCTION fleet.next_place(fleet.jobs) IS
  'Where the job stands among those that it shares with: the one with the lowest is served next; NULL where nothing waits.';

CREATE OR REPLACE FUNCTION fleet.join_queue(p_job uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  -- What the others were given before is theirs; from now on all get the same.
  UPDATE fleet.jobs j SET place_offset = j.place_offset - coalesce(fleet.next_place(j), j.place_offset) + coalesce((
    SELECT min(fleet.next_place(o)) FROM fleet.jobs o
    WHERE o.state IN ('pending', 'running') AND NOT o.is_paused AND o.job_id <> p_job
      AND o.priority = j.priority AND o.rank = j.rank), 0)
  WHERE j.job_id = p_job;
$$;
COMMENT ON FUNCTION fleet.join_queue(uuid) IS
  'A job begins, or goes on, to share machines with the jobs of its priority and rank, at the place where they are now.';

DROP FUNCTION IF EXISTS fleet.submit_job(text, integer, text, integer, integer, integer);
CREATE OR REPLACE FUNCTION fleet.submit_job(
  p_scenario text, p_count integer, p_by text,
  p_min_turns integer DEFAULT 6, p_max_turns integer DEFAULT 8, p_priority integer DEFAULT 5,
  p_model text DEFAULT NULL, p_node_class text DEFAULT NULL, p_vram_bytes_min bigint DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_mix jsonb;
  v_limit integer := fleet.setting('job_count_max');
  v_job uuid;
BEGIN
  IF p_scenario = 'mixed' THEN
    v_mix := fleet.scenario_mix();
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
  PERFORM fleet.check_priority(p_priority);
  IF p_model = '' OR p_node_class !~ '^[a-z0-9][a-z0-9_-]{0,39}$' OR p_vram_bytes_min <= 0 THEN
    RAISE EXCEPTION 'no machine can have model %, class % and % bytes of GPU memory',
      quote_nullable(p_model), quote_nullable(p_node_class), coalesce(p_vram_bytes_min::text, 'any')
      USING ERRCODE = 'check_violation', HINT = 'Leave out what does not matter; analytics.nodes shows what machines have.';
  END IF;
  INSERT INTO fleet.jobs (mix, wanted, min_turns, max_turns, priority, seed, requested_by, model, node_class, vram_bytes_min)
  VALUES (v_mix, p_count, p_min_turns, p_max_turns, p_priority, (random() * 1e15)::bigint, p_by,
    p_model, p_node_class, p_vram_bytes_min)
  RETURNING job_id INTO v_job;
  PERFORM fleet.join_queue(v_job);
  RETURN v_job;
END $$;
COMMENT ON FUNCTION fleet.submit_job(text, integer, text, integer, integer, integer, text, text, bigint) IS
  'Order conversations of one scenario, or of all by weight (mixed), for any machine or those with a model, of a class, with a GPU of so much memory. Errors: unknown scenario; count, turns, priority or machine out of bounds.';

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
  v_peers integer;
  v_now integer;
BEGIN
  FOR v_job IN
    SELECT * FROM fleet.jobs j WHERE j.state IN ('pending', 'running') AND j.split < j.wanted
    ORDER BY j.priority DESC, j.rank, j.created_at, j.job_id FOR NO KEY UPDATE SKIP LOCKED
  LOOP
    EXIT WHEN v_made >= p_limit;
    -- Of a priority and rank all get the same, and the later ones what those before did not need.
    SELECT count(*) INTO v_peers FROM fleet.jobs o
    WHERE o.state IN ('pending', 'running') AND o.split < o.wanted AND o.priority = v_job.priority AND o.rank = v_job.rank
      AND (o.created_at, o.job_id) >= (v_job.created_at, v_job.job_id);
    v_now := least(v_job.wanted - v_job.split, ceil((p_limit - v_made)::numeric / v_peers));
    -- Golden-ratio steps visit the cumulated weights evenly, so that also a short job has its mix.
    INSERT INTO fleet.tasks (job_id, position, place, scenario, seed)
    SELECT v_job.job_id, p.position, p.position,
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

CREATE OR REPLACE FUNCTION fleet.settle_jobs() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
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
      AND NOT EXISTS (SELECT FROM fleet.tasks t WHERE t.job_id = v_job AND t.state = 'pending')
      AND NOT EXISTS (SELECT FROM fleet.tasks t WHERE t.job_id = v_job AND t.state IN ('claimed', 'running'));
    v_settled := v_settled + FOUND::integer;
  END LOOP;
  RETURN v_settled;
END $$;
COMMENT ON FUNCTION fleet.settle_jobs() IS 'Close jobs whose tasks have all ended: failed when none succeeded, else done.';
