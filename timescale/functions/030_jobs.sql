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
    CASE WHEN p_job.split < p_job.tasks_max THEN p_job.split + 1 END);
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

CREATE OR REPLACE FUNCTION fleet.check_mix(p_scenario text, p_mix jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_unknown text;
BEGIN
  IF p_scenario IS DISTINCT FROM 'mixed' AND p_mix IS NOT NULL THEN
    RAISE EXCEPTION 'scenario is %, and mix is given as well', p_scenario USING ERRCODE = 'check_violation',
      HINT = 'Order scenario mixed, or leave mix out.';
  END IF;
  p_mix := CASE WHEN p_scenario = 'mixed' THEN coalesce(p_mix, fleet.scenario_mix()) ELSE jsonb_build_object(p_scenario, 1) END;
  IF jsonb_typeof(p_mix) <> 'object' OR p_mix = '{}' OR EXISTS (
      SELECT FROM jsonb_each(p_mix) m WHERE CASE jsonb_typeof(m.value) WHEN 'number' THEN m.value::numeric NOT BETWEEN 0.001 AND 1000 ELSE true END) THEN
    RAISE EXCEPTION 'mix must give scenarios a weight between 0.001 and 1000, not %', left(p_mix::text, 200) USING ERRCODE = 'check_violation',
      HINT = 'For example {"complaint": 3, "lab_results": 1}.';
  END IF;
  SELECT k INTO v_unknown FROM jsonb_object_keys(p_mix) k WHERE NOT EXISTS (SELECT FROM fleet.scenarios s WHERE s.scenario = k) ORDER BY k LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'unknown scenario %', v_unknown USING ERRCODE = 'no_data_found',
      HINT = 'Known: mixed, ' || (SELECT string_agg(s.scenario, ', ' ORDER BY s.scenario) FROM fleet.scenarios s);
  END IF;
  RETURN p_mix;
END $$;
COMMENT ON FUNCTION fleet.check_mix(text, jsonb) IS
  'The weights of a job of one scenario, or of a mixed one with weights of its own, else those of the settings. Errors: unknown scenario, no weights.';

DROP FUNCTION IF EXISTS fleet.submit_job(text, integer, text, integer, integer, integer);
DROP FUNCTION IF EXISTS fleet.submit_job(text, integer, text, integer, integer, integer, text, text, bigint);
CREATE OR REPLACE FUNCTION fleet.submit_job(
  p_scenario text, p_count integer, p_by text,
  p_min_turns integer DEFAULT 6, p_max_turns integer DEFAULT 8, p_priority integer DEFAULT 5,
  p_model text DEFAULT NULL, p_node_class text DEFAULT NULL, p_vram_bytes_min bigint DEFAULT NULL,
  p_mix jsonb DEFAULT NULL, p_seed bigint DEFAULT NULL, p_counts text DEFAULT 'written', p_budget integer DEFAULT 3
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_mix jsonb := fleet.check_mix(p_scenario, p_mix);
  v_limit integer := fleet.setting('job_count_max');
  v_job uuid;
BEGIN
  IF p_count IS NULL OR p_count NOT BETWEEN 1 AND v_limit THEN
    RAISE EXCEPTION 'count must be between 1 and %, not %', v_limit, p_count USING ERRCODE = 'check_violation',
      HINT = 'Submit several jobs, or raise the setting job_count_max.';
  END IF;
  IF p_min_turns < 2 OR p_max_turns < p_min_turns OR p_max_turns > 60 THEN
    RAISE EXCEPTION 'turn limits must be 2 <= min_turns <= max_turns <= 60, not % and %', p_min_turns, p_max_turns
      USING ERRCODE = 'check_violation', HINT = 'Leave them out for 6 to 8 turns.';
  END IF;
  PERFORM fleet.check_priority(p_priority);
  IF p_model = '' OR p_node_class !~ '^[a-z0-9][a-z0-9_-]{0,39}$' OR p_vram_bytes_min <= 0 THEN
    RAISE EXCEPTION 'no machine can have model %, class % and % bytes of GPU memory',
      quote_nullable(p_model), quote_nullable(p_node_class), coalesce(p_vram_bytes_min::text, 'any')
      USING ERRCODE = 'check_violation', HINT = 'Leave out what does not matter; analytics.nodes shows what machines have.';
  END IF;
  IF p_counts IS NULL OR p_counts NOT IN ('written', 'accepted') THEN
    RAISE EXCEPTION 'a job cannot count % conversations', quote_nullable(p_counts) USING ERRCODE = 'check_violation',
      HINT = 'It counts written or accepted ones.';
  END IF;
  IF p_budget IS NULL OR p_budget NOT BETWEEN 1 AND 20 THEN
    RAISE EXCEPTION 'budget must be between 1 and 20 times count, not %', p_budget USING ERRCODE = 'check_violation',
      HINT = 'Leave it out for 3.';
  END IF;
  IF p_seed NOT BETWEEN 0 AND 9007199254740991 THEN
    RAISE EXCEPTION 'seed must be between 0 and 9007199254740991, not %', p_seed USING ERRCODE = 'check_violation',
      HINT = 'Leave it out for one by chance.';
  END IF;
  INSERT INTO fleet.jobs (mix, wanted, min_turns, max_turns, priority, seed, requested_by, model, node_class, vram_bytes_min, counts, budget)
  VALUES (v_mix, p_count, p_min_turns, p_max_turns, p_priority, coalesce(p_seed, (random() * 1e15)::bigint), p_by,
    p_model, p_node_class, p_vram_bytes_min, p_counts, CASE p_counts WHEN 'accepted' THEN p_budget ELSE 1 END)
  RETURNING job_id INTO v_job;
  PERFORM fleet.join_queue(v_job);
  RETURN v_job;
END $$;
COMMENT ON FUNCTION fleet.submit_job(text, integer, text, integer, integer, integer, text, text, bigint, jsonb, bigint, text, integer) IS
  'Order conversations of one scenario, or of several by weight (mixed), for any machine or those with a model, of a class, with a GPU of so much memory. p_counts accepted: it writes on until p_count are accepted, at most p_budget times p_count. Errors: unknown scenario; a value out of bounds.';

CREATE OR REPLACE FUNCTION fleet.submit_order(p_order jsonb, p_by text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_unknown text;
BEGIN
  SELECT k INTO v_unknown FROM jsonb_object_keys(p_order) k
  WHERE k NOT IN ('scenario', 'mix', 'count', 'counts', 'budget', 'min_turns', 'max_turns', 'priority', 'seed', 'model', 'node_class', 'vram_bytes_min')
  ORDER BY k LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'an order has no %', quote_literal(v_unknown) USING ERRCODE = 'check_violation',
      HINT = 'It is named as the values of fleet.submit_job.';
  END IF;
  RETURN fleet.submit_job(
    p_order ->> 'scenario', (p_order ->> 'count')::integer, p_by,
    coalesce((p_order ->> 'min_turns')::integer, 6), coalesce((p_order ->> 'max_turns')::integer, 8),
    coalesce((p_order ->> 'priority')::integer, 5),
    p_order ->> 'model', p_order ->> 'node_class', (p_order ->> 'vram_bytes_min')::bigint,
    nullif(p_order -> 'mix', 'null'), (p_order ->> 'seed')::bigint,
    coalesce(p_order ->> 'counts', 'written'), coalesce((p_order ->> 'budget')::integer, 3));
END $$;
COMMENT ON FUNCTION fleet.submit_order(jsonb, text) IS
  'submit_job with its values as one object: {"scenario": ..., "count": ..., ...}. Errors: those of submit_job, an unknown name.';

DROP FUNCTION IF EXISTS fleet.submit_job_once(text, text, integer, text, integer, integer, integer);
CREATE OR REPLACE FUNCTION fleet.submit_order_once(p_key text, p_order jsonb, p_by text)
RETURNS TABLE (job_id uuid, is_new boolean) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  -- The id follows from the key, so that the job itself remembers it.
  v_id uuid := left(encode(sha256(convert_to(p_by || chr(31) || p_key, 'UTF8')), 'hex'), 32)::uuid;
  v_job fleet.jobs;
  v_made uuid;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(v_id::text, 0));
  SELECT * INTO v_job FROM fleet.jobs j WHERE j.job_id = v_id;
  IF v_job.job_id IS NULL THEN
    v_made := fleet.submit_order(p_order, p_by);
    UPDATE fleet.jobs j SET job_id = v_id, ordered = p_order WHERE j.job_id = v_made;
  ELSIF v_job.ordered <> p_order THEN
    RAISE EXCEPTION 'idempotency key % was used for another order', p_key
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Use a new key for a new order.';
  END IF;
  RETURN QUERY SELECT v_id, v_job.job_id IS NULL;
END $$;
COMMENT ON FUNCTION fleet.submit_order_once(text, jsonb, text) IS
  'submit_order under a key of the caller: a repeated call gives the same job, whatever became of it. Errors: those of submit_order, key used for another order.';

CREATE OR REPLACE FUNCTION fleet.tasks_due(p_job fleet.jobs) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_promised bigint := 0;
BEGIN
  IF p_job.counts = 'written' THEN
    RETURN p_job.wanted - p_job.split;
  END IF;
  -- What is being written or judged may yet be accepted: so there is never one too many.
  SELECT c.accepted + c.unjudged + c.pending + c.claimed + c.running INTO v_promised
  FROM fleet.job_counts c WHERE c.job_id = p_job.job_id;
  RETURN greatest(0, least(p_job.tasks_max - p_job.split, p_job.wanted - coalesce(v_promised, 0)));
END $$;
COMMENT ON FUNCTION fleet.tasks_due(fleet.jobs) IS
  'How many tasks it needs now: what is left of the wanted number, or what is lacking to so many accepted ones, within the budget.';

CREATE OR REPLACE FUNCTION fleet.split_jobs(p_limit integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_job fleet.jobs;
  v_open record;
  v_made integer := 0;
  v_now integer;
BEGIN
  FOR v_open IN
    WITH due AS MATERIALIZED (
      SELECT j.* FROM fleet.jobs j
      WHERE j.state IN ('pending', 'running') AND j.split < j.tasks_max AND fleet.tasks_due(j) > 0
    )
    -- Of a priority and rank all get the same, and the later ones what those before did not need.
    SELECT d.job_id, count(*) OVER (PARTITION BY d.priority, d.rank ORDER BY d.created_at DESC, d.job_id DESC) AS peers
    FROM due d ORDER BY d.priority DESC, d.rank, d.created_at, d.job_id
  LOOP
    EXIT WHEN v_made >= p_limit;
    SELECT * INTO v_job FROM fleet.jobs j
    WHERE j.job_id = v_open.job_id AND j.state IN ('pending', 'running') FOR NO KEY UPDATE SKIP LOCKED;
    CONTINUE WHEN v_job.job_id IS NULL;
    -- Asked again: a person may have had failed ones tried anew before it was locked.
    v_now := least(fleet.tasks_due(v_job), ceil((p_limit - v_made)::numeric / v_open.peers));
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
  v_job record;
  v_settled integer := 0;
BEGIN
  -- The counts name those that may have ended; of these alone tasks are looked up.
  FOR v_job IN
    SELECT j.job_id, j.counts, j.wanted, j.split, c.accepted, c.rejected, c.failed
    FROM fleet.jobs j JOIN fleet.job_counts c USING (job_id)
    WHERE j.state = 'running' AND c.pending + c.claimed + c.running = 0 AND CASE j.counts
      WHEN 'written' THEN j.split = j.wanted
      ELSE c.unjudged = 0 AND (c.accepted >= j.wanted OR j.split = j.tasks_max) END
    FOR NO KEY UPDATE OF j SKIP LOCKED
  LOOP
    UPDATE fleet.jobs j SET finished_at = now(), state = CASE
      WHEN v_job.counts = 'accepted' AND v_job.accepted = 0 THEN 'failed'
      WHEN EXISTS (SELECT FROM fleet.conversations c WHERE c.job_id = v_job.job_id) THEN 'done' ELSE 'failed' END::fleet.job_state
    WHERE j.job_id = v_job.job_id AND j.state = 'running'
      AND NOT EXISTS (SELECT FROM fleet.tasks t WHERE t.job_id = v_job.job_id AND t.state = 'pending')
      AND NOT EXISTS (SELECT FROM fleet.tasks t WHERE t.job_id = v_job.job_id AND t.state IN ('claimed', 'running'));
    CONTINUE WHEN NOT FOUND;
    v_settled := v_settled + 1;
    IF v_job.counts = 'accepted' AND v_job.accepted < v_job.wanted THEN
      PERFORM fleet.record_event(gen_random_uuid(), NULL, 'warning', 'job_budget_used', format(
        'Job %s ends with %s of %s accepted conversations: its budget of %s is used; %s were rejected and %s given up. '
        'analytics.rejections says why; order what is lacking as another job.',
        v_job.job_id, v_job.accepted, v_job.wanted, v_job.split, v_job.rejected, v_job.failed));
    END IF;
  END LOOP;
  RETURN v_settled;
END $$;
COMMENT ON FUNCTION fleet.settle_jobs() IS
  'Close jobs that have what they count, or whose tasks have all ended: failed when there is nothing that counts, else done. One that lacks accepted conversations when its budget is used ends with an event.';
