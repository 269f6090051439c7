-- Tasks: claim under a lease, write turns, finish or give back; every writer is fenced by (worker, attempt).
DROP FUNCTION IF EXISTS fleet.claim_tasks(uuid, integer);
CREATE OR REPLACE FUNCTION fleet.claim_tasks(p_worker uuid, p_limit integer, p_model text DEFAULT NULL) RETURNS TABLE (
  task_id uuid, attempt integer, scenario text, definition jsonb, seed bigint, min_turns integer, max_turns integer,
  persona jsonb, turns jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- By index, whatever statistics say: a plan made while the table was small would read all of a large one.
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_caller record;
  v_until timestamptz;
  v_jobs uuid[];
  v_job uuid;
  v_turn integer;
  v_part integer;
  v_tasks uuid[] := '{}';
BEGIN
  -- An emergency stop waits for the claims before it, and those after it see it.
  PERFORM pg_advisory_xact_lock_shared(hashtext('fleet.claim'));
  -- What failed here waits until this node has shown that it can write, or for another node.
  SELECT n.node, n.node_class, n.vram_bytes, s.state = 'running' AS is_running,
    coalesce(p_model, (SELECT m.model FROM fleet.node_models m WHERE m.node = n.node ORDER BY m.asked_at DESC LIMIT 1)) AS model,
    ARRAY(SELECT f.task_id FROM fleet.task_failures f WHERE f.node = n.node AND f.counts IS NULL) AS failed
  INTO v_caller
  FROM fleet.nodes n CROSS JOIN fleet.state s WHERE n.login = session_user AND n.removed_at IS NULL;
  IF NOT FOUND THEN
    PERFORM fleet.current_node();
  END IF;
  IF NOT v_caller.is_running THEN
    RETURN;
  END IF;
  v_until := clock_timestamp() + make_interval(secs => fleet.setting('lease_seconds', v_caller.node));
  -- Jobs that share: of one priority and rank, those that were given least since they joined first.
  FOR v_jobs IN
    SELECT array_agg(j.job_id ORDER BY j.place_offset + first.place, j.created_at, j.job_id)
    FROM fleet.jobs j CROSS JOIN LATERAL (
      SELECT t.place FROM fleet.tasks t
      WHERE t.job_id = j.job_id AND t.state = 'pending' AND t.task_id <> ALL (v_caller.failed) ORDER BY t.place LIMIT 1) first
    WHERE j.state IN ('pending', 'running') AND NOT j.is_paused
      AND (j.model IS NULL OR j.model = v_caller.model) AND (j.node_class IS NULL OR j.node_class = v_caller.node_class)
      AND (j.vram_bytes_min IS NULL OR j.vram_bytes_min <= v_caller.vram_bytes)
    GROUP BY j.priority, j.rank ORDER BY j.priority DESC, j.rank
  LOOP
    v_turn := 0;
    -- Twice: at first each its part, then what the others did not need.
    FOREACH v_job IN ARRAY v_jobs || v_jobs LOOP
      v_part := p_limit - cardinality(v_tasks);
      EXIT WHEN v_part <= 0;
      IF v_turn < cardinality(v_jobs) THEN
        v_part := ceil(v_part::numeric / (cardinality(v_jobs) - v_turn));
      END IF;
      v_turn := v_turn + 1;
      v_tasks := v_tasks || ARRAY(
        SELECT t.task_id FROM fleet.tasks t
        WHERE t.job_id = v_job AND t.state = 'pending' AND t.task_id <> ALL (v_caller.failed) AND t.task_id <> ALL (v_tasks)
        ORDER BY t.place LIMIT v_part FOR UPDATE SKIP LOCKED);
    END LOOP;
    EXIT WHEN cardinality(v_tasks) >= p_limit;
  END LOOP;
  RETURN QUERY
  WITH taken AS (
    UPDATE fleet.tasks t SET state = 'claimed', attempt = t.attempt + 1, node = v_caller.node, worker_id = p_worker,
      claimed_at = clock_timestamp(), error = NULL, lease_until = v_until
    WHERE t.task_id = ANY (v_tasks) RETURNING t.*)
  SELECT t.task_id, t.attempt, t.scenario, s.definition, t.seed, j.min_turns, j.max_turns, t.persona,
    coalesce((SELECT jsonb_agg(jsonb_build_object('speaker', u.speaker, 'text', u.text) ORDER BY u.position)
              FROM fleet.turns u WHERE u.task_id = t.task_id), '[]')
  FROM taken t JOIN fleet.jobs j USING (job_id) JOIN fleet.scenarios s ON s.scenario = t.scenario
  ORDER BY array_position(v_tasks, t.task_id);
END $$;
COMMENT ON FUNCTION fleet.claim_tasks(uuid, integer, text) IS
  'Lease up to p_limit tasks, with the turns that an earlier attempt stored: by priority, then rank, then in equal parts, then age of the job. Only of jobs that this node fits, by p_model or the model that it told of last. None while the fleet is paused, none that failed at this node since it last showed that it can write.';

CREATE OR REPLACE FUNCTION fleet.hold_task(p_task uuid, p_worker uuid, p_attempt integer) RETURNS fleet.tasks
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_task fleet.tasks;
BEGIN
  SELECT * INTO v_task FROM fleet.tasks t
  WHERE t.task_id = p_task AND t.worker_id = p_worker AND t.attempt = p_attempt
    AND t.node = (SELECT n.node FROM fleet.nodes n WHERE n.login = session_user AND n.removed_at IS NULL) FOR UPDATE;
  -- The state is looked at here: as a condition it would have the planner read the index of all that is held.
  IF v_task.task_id IS NULL OR v_task.state NOT IN ('claimed', 'running') THEN
    PERFORM fleet.current_node();
    RAISE EXCEPTION 'task % is not held by this worker at attempt %', p_task, p_attempt
      USING ERRCODE = 'FL001', HINT = 'The lease ended or the job was cancelled; drop the work.';
  END IF;
  RETURN v_task;
END $$;
COMMENT ON FUNCTION fleet.hold_task(uuid, uuid, integer) IS 'Lock a task for its present holder; FL001 for anybody else.';

CREATE OR REPLACE FUNCTION fleet.start_task(
  p_task uuid, p_worker uuid, p_attempt integer, p_prompt bigint, p_persona jsonb
) RETURNS TABLE (prompt_id bigint, persona jsonb, restarts integer, tries integer, turn_tries integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_task fleet.tasks;
BEGIN
  UPDATE fleet.tasks t SET state = 'running', started_at = coalesce(t.started_at, clock_timestamp()),
    prompt_id = coalesce(t.prompt_id, p_prompt), persona = coalesce(t.persona, p_persona)
  WHERE t.task_id = p_task AND t.worker_id = p_worker AND t.attempt = p_attempt AND t.lease_until IS NOT NULL
    AND t.node = (SELECT n.node FROM fleet.nodes n WHERE n.login = session_user AND n.removed_at IS NULL)
  RETURNING t.* INTO v_task;
  IF NOT FOUND THEN
    PERFORM fleet.hold_task(p_task, p_worker, p_attempt); -- says why not
  END IF;
  RETURN QUERY
  SELECT v_task.prompt_id, v_task.persona, v_task.restarts, count(*)::integer,
    count(*) FILTER (WHERE r.restart = v_task.restarts AND r.position = 1 + (
      SELECT count(*) FROM fleet.turns u WHERE u.task_id = p_task))::integer
  FROM fleet.turn_tries r WHERE r.task_id = p_task;
END $$;
COMMENT ON FUNCTION fleet.start_task(uuid, uuid, integer, bigint, jsonb) IS
  'claimed -> running; returns the prompt and persona that the first attempt fixed, and how often checks refused the next turn and any turn.';

CREATE OR REPLACE FUNCTION fleet.store_turn(
  p_task uuid, p_worker uuid, p_attempt integer, p_position integer, p_speaker text, p_text text
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  PERFORM fleet.hold_task(p_task, p_worker, p_attempt);
  INSERT INTO fleet.turns (task_id, position, speaker, text, attempt)
  VALUES (p_task, p_position, p_speaker, p_text, p_attempt) ON CONFLICT (task_id, position) DO NOTHING;
END $$;
COMMENT ON FUNCTION fleet.store_turn(uuid, uuid, integer, integer, text, text) IS 'Keep a turn as a checkpoint; a repeated call changes nothing.';

CREATE OR REPLACE FUNCTION fleet.extend_lease(p_worker uuid, p_tasks uuid[]) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
  -- Nobody waits for the disk: an extension that a crash forgets ends the lease early, and the fence holds as ever.
  SELECT set_config('synchronous_commit', 'off', true);
  UPDATE fleet.tasks t
  SET lease_until = clock_timestamp() + make_interval(secs => fleet.setting('lease_seconds', t.node))
  WHERE t.task_id = ANY (p_tasks) AND t.worker_id = p_worker AND t.node = fleet.current_node()
    AND t.lease_until IS NOT NULL AND NOT fleet.is_stopped()
  RETURNING t.task_id;
$$;
COMMENT ON FUNCTION fleet.extend_lease(uuid, uuid[]) IS 'Renew leases; returns those still held, the rest must be dropped. After an emergency stop none is: also a worker whose agent hangs ends its calls. A transaction of its own: it is not waited for on disk.';

CREATE OR REPLACE FUNCTION fleet.complete_task(p_task uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  UPDATE fleet.tasks SET state = 'done', lease_until = NULL, finished_at = clock_timestamp() WHERE task_id = p_task;
END $$;
COMMENT ON FUNCTION fleet.complete_task(uuid) IS 'running -> done, for a task that its caller has locked by fleet.hold_task.';

CREATE OR REPLACE FUNCTION fleet.store_conversation(p_task uuid, p_worker uuid, p_attempt integer, p_model text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_task fleet.tasks;
  v_conversation uuid;
BEGIN
  -- A worker whose answer was lost asks again: it gets the same conversation.
  IF EXISTS (SELECT FROM fleet.tasks t WHERE t.task_id = p_task AND t.state = 'done') THEN
    SELECT c.conversation_id INTO v_conversation FROM fleet.conversations c JOIN fleet.tasks t USING (task_id)
    WHERE t.task_id = p_task AND t.worker_id = p_worker AND t.attempt = p_attempt AND t.node = fleet.current_node();
    IF FOUND THEN
      RETURN v_conversation;
    END IF;
  END IF;
  v_task := fleet.hold_task(p_task, p_worker, p_attempt);
  INSERT INTO fleet.conversations
    (task_id, job_id, node, model, scenario, prompt_id, persona, turns, tries, prompt_tokens, completion_tokens,
     generation_seconds)
  SELECT v_task.task_id, v_task.job_id, v_task.node, p_model, v_task.scenario, v_task.prompt_id, v_task.persona,
    (SELECT count(*) FROM fleet.turns u WHERE u.task_id = p_task),
    (SELECT count(*) FROM fleet.turn_tries y WHERE y.task_id = p_task),
    sum(r.prompt_tokens), coalesce(sum(r.completion_tokens), 0), coalesce(sum(r.duration_seconds), 0)
  FROM telemetry.llm_requests r WHERE r.task_id = p_task AND r.time >= v_task.created_at
  RETURNING conversation_id INTO v_conversation;
  PERFORM fleet.complete_task(p_task);
  RETURN v_conversation;
END $$;
COMMENT ON FUNCTION fleet.store_conversation(uuid, uuid, integer, text) IS
  'running -> done and the conversation stored as unjudged; its tokens and seconds are those of all calls for the task.';

CREATE OR REPLACE FUNCTION fleet.tell_missed_cache(p_task uuid, p_model text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
  v_read bigint;
  v_cached bigint;
BEGIN
  SELECT sum(c.prompt_tokens), sum(c.cached_prompt_tokens) INTO v_read, v_cached
  FROM (SELECT r.prompt_tokens, r.cached_prompt_tokens, row_number() OVER (ORDER BY r.time) AS number
        FROM telemetry.llm_requests r WHERE r.task_id = p_task AND r.node = v_node
          AND r.time >= (SELECT t.created_at FROM fleet.tasks t WHERE t.task_id = p_task)
          AND r.prompt_tokens IS NOT NULL AND r.cached_prompt_tokens IS NOT NULL) c
  WHERE c.number > 1 HAVING count(*) >= 3;
  IF v_cached * 10 < v_read THEN
    -- Told once a day: the id is the same for all conversations of a node with a model.
    PERFORM fleet.record_event(
      md5(format('llm_cache_missed %s %s %s', v_node, p_model, (now() AT TIME ZONE 'UTC')::date))::uuid,
      NULL, 'warning', 'llm_cache_missed',
      format('The model server had kept %s of %s tokens of prompts of %s that it had read in the same conversation just before: '
        'it reads each turn from the beginning. Give it a cache, or a slot for each conversation.', v_cached, v_read, p_model));
  END IF;
END $$;
COMMENT ON FUNCTION fleet.tell_missed_cache(uuid, text) IS
  'An event when the calls of a task, after its first, found less than a tenth of their prompts in the server''s cache; at least three must have told.';

CREATE OR REPLACE FUNCTION fleet.finish_task(p_task uuid, p_worker uuid, p_attempt integer, p_model text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_conversation uuid := fleet.store_conversation(p_task, p_worker, p_attempt, p_model);
  v_turns bigint;
  v_ours bigint;
BEGIN
  SELECT count(*), count(*) FILTER (WHERE u.attempt = p_attempt) INTO v_turns, v_ours
  FROM fleet.turns u WHERE u.task_id = p_task;
  IF v_turns = 0 THEN
    RAISE EXCEPTION 'task % has no turns', p_task USING ERRCODE = 'check_violation', HINT = 'Write some, or reject it.';
  END IF;
  -- Whatever failed here before: this node can write, unless another wrote all turns.
  IF v_ours > 0 THEN
    PERFORM fleet.decide_failures(true);
  END IF;
  PERFORM fleet.tell_missed_cache(p_task, p_model);
  PERFORM pg_notify('fleet_judge', v_conversation::text);
  RETURN v_conversation;
END $$;
COMMENT ON FUNCTION fleet.finish_task(uuid, uuid, integer, text) IS
  'running -> done and the conversation stored as unjudged, in one transaction; a repeated call returns the same one.';

-- The forms that took a yes or no for what is now the kind of failure.
DROP FUNCTION IF EXISTS fleet.release_task(uuid, uuid, integer, boolean, text, double precision);
DROP FUNCTION IF EXISTS fleet.return_task(fleet.tasks, boolean, text, double precision);

CREATE OR REPLACE FUNCTION fleet.return_task(v_task fleet.tasks, p_kind text, p_error text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_kind IS NOT NULL THEN
    -- A request that reached nobody says nothing of its task, even if the server is back a second later.
    INSERT INTO fleet.task_failures (task_id, attempt, node, kind, message, counts)
    VALUES (v_task.task_id, v_task.attempt, v_task.node, p_kind, p_error, CASE WHEN p_kind = 'unreachable' THEN false END);
  END IF;
  UPDATE fleet.tasks SET state = 'pending', error = p_error, lease_until = NULL
  WHERE task_id = v_task.task_id;
  PERFORM pg_notify('fleet_work', 'returned');
END $$;
COMMENT ON FUNCTION fleet.return_task(fleet.tasks, text, text) IS
  'A held task back to pending. p_kind NULL: nobody failed; else the failure is kept, and decided later by fleet.decide_failures.';

CREATE OR REPLACE FUNCTION fleet.release_task(
  p_task uuid, p_worker uuid, p_attempt integer, p_kind text, p_error text
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT fleet.return_task(fleet.hold_task(p_task, p_worker, p_attempt), p_kind, p_error);
$$;
COMMENT ON FUNCTION fleet.release_task(uuid, uuid, integer, text, text) IS
  'Give a task back with its turns kept; p_kind says what failed, NULL that nothing did.';

CREATE OR REPLACE FUNCTION fleet.take_back_task(v_task fleet.tasks, p_kind text, p_error text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM fleet.return_task(v_task, p_kind, p_error);
  PERFORM fleet.record_event(gen_random_uuid(), NULL, 'warning', 'task_taken_back',
    format('Task %s of job %s was taken back from %s: %s. It waits for a worker and goes on after its last stored turn.',
      v_task.task_id, v_task.job_id, v_task.node, p_error), v_task.node);
END $$;
COMMENT ON FUNCTION fleet.take_back_task(fleet.tasks, text, text) IS
  'A task back to pending whose holder did not give it back itself; each is an event.';

CREATE OR REPLACE FUNCTION fleet.return_own_tasks(p_worker uuid) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
  SELECT count(fleet.take_back_task(held, 'worker_died', 'the worker died'))::integer
  FROM (SELECT t.* FROM fleet.tasks t WHERE t.node = fleet.current_node() AND t.worker_id <> p_worker
        AND t.state IN ('claimed', 'running') ORDER BY t.scenario FOR UPDATE SKIP LOCKED) AS held;
$$;
COMMENT ON FUNCTION fleet.return_own_tasks(uuid) IS 'A starting worker gives back what an earlier worker of its node held.';

CREATE OR REPLACE FUNCTION fleet.sweep_tasks() RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
  SELECT count(CASE
    WHEN lost.lease_until > pg_postmaster_start_time()
    THEN fleet.take_back_task(lost, 'lease_ended', 'the lease ended without a result')
    ELSE fleet.take_back_task(lost, NULL, 'the lease ended while the database was away') END)::integer
  FROM (SELECT t.* FROM fleet.tasks t WHERE t.state IN ('claimed', 'running') AND t.lease_until < clock_timestamp()
        FOR UPDATE SKIP LOCKED) AS lost;
$$;
COMMENT ON FUNCTION fleet.sweep_tasks() IS
  'Take back tasks whose lease has ended; returns how many. Nobody failed where the database was away and nobody could extend it.';

CREATE OR REPLACE FUNCTION fleet.decide_failures(p_can_write boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
  v_limit integer;
  v_task fleet.tasks;
  v_message text;
  v_open integer;
  v_decided integer := 0;
BEGIN
  -- So it is after nearly every conversation.
  IF NOT EXISTS (SELECT FROM fleet.task_failures f WHERE f.node = v_node AND f.counts IS NULL) THEN
    RETURN 0;
  END IF;
  v_limit := fleet.setting('task_attempts_max', v_node);
  FOR v_task IN
    -- A task that somebody else has locked is decided the next time; nobody waits for anybody.
    SELECT t.* FROM fleet.tasks t WHERE t.task_id IN (
      SELECT f.task_id FROM fleet.task_failures f WHERE f.node = v_node AND f.counts IS NULL
    ) FOR NO KEY UPDATE SKIP LOCKED
  LOOP
    WITH decided AS (
      UPDATE fleet.task_failures f SET counts = p_can_write
      WHERE f.task_id = v_task.task_id AND f.node = v_node AND f.counts IS NULL RETURNING f.attempt, f.message
    )
    SELECT count(*), (array_agg(d.message ORDER BY d.attempt DESC))[1] INTO v_open, v_message FROM decided d;
    v_decided := v_decided + v_open;
    CONTINUE WHEN NOT p_can_write;
    v_task.failures := v_task.failures + v_open;
    UPDATE fleet.tasks SET failures = v_task.failures WHERE task_id = v_task.task_id;
    IF v_task.state = 'pending' AND (v_task.failures >= v_limit OR EXISTS (
        SELECT FROM fleet.task_failures f WHERE f.task_id = v_task.task_id AND f.counts AND f.node <> v_node
          AND f.attempt > v_task.forgiven_attempt)) THEN
      UPDATE fleet.tasks SET state = 'failed', finished_at = clock_timestamp() WHERE task_id = v_task.task_id;
      PERFORM fleet.bump_counter(v_node, 'fleet_conversations_total',
        jsonb_build_object('scenario', v_task.scenario, 'outcome', 'failed'), 1);
      PERFORM fleet.record_event(gen_random_uuid(), NULL, 'error', 'task_failed',
        format('Task %s of job %s failed %s times and is given up: %s',
          v_task.task_id, v_task.job_id, v_task.failures, v_message));
    END IF;
  END LOOP;
  IF v_decided > 0 THEN
    PERFORM pg_notify('fleet_work', 'decided');
  END IF;
  RETURN v_decided;
END $$;
COMMENT ON FUNCTION fleet.decide_failures(boolean) IS
  'The calling node has shown whether it can write: its open failures count against their tasks, or are its own. A task ends as a dead letter with task_attempts_max failures that count, or with two at different nodes. Returns how many were decided.';

CREATE OR REPLACE FUNCTION fleet.has_open_failures() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT FROM fleet.task_failures f JOIN fleet.tasks t USING (task_id)
                 WHERE f.node = fleet.current_node() AND f.counts IS NULL AND t.state = 'pending')
    AND (SELECT s.state FROM fleet.state s) = 'running';
$$;
COMMENT ON FUNCTION fleet.has_open_failures() IS
  'True while pending tasks wait for the calling node to show whether it can write; false while the fleet is paused.';

CREATE OR REPLACE FUNCTION fleet.set_circuit(p_is_open boolean, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
BEGIN
  UPDATE fleet.nodes SET llm_circuit_opened_at = CASE WHEN p_is_open THEN clock_timestamp() END
  WHERE node = v_node AND (llm_circuit_opened_at IS NOT NULL) <> p_is_open;
  IF FOUND THEN
    PERFORM fleet.record_event(gen_random_uuid(), NULL, CASE WHEN p_is_open THEN 'warning' ELSE 'info' END,
      CASE WHEN p_is_open THEN 'llm_circuit_opened' ELSE 'llm_circuit_closed' END, p_reason);
  END IF;
END $$;
COMMENT ON FUNCTION fleet.set_circuit(boolean, text) IS
  'The worker stops using its model server, or uses it again; a change is an event, a repeated call is none.';

CREATE OR REPLACE FUNCTION fleet.set_continuation(p_model text, p_continuation text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
  v_before text;
BEGIN
  SELECT m.continuation INTO v_before FROM fleet.node_models m WHERE m.node = v_node AND m.model = p_model FOR UPDATE;
  INSERT INTO fleet.node_models (node, model, continuation) VALUES (v_node, p_model, p_continuation)
  ON CONFLICT (node, model) DO UPDATE SET continuation = excluded.continuation, asked_at = clock_timestamp();
  IF v_before <> p_continuation THEN
    PERFORM fleet.record_event(gen_random_uuid(), NULL, 'warning', 'llm_continuation_changed',
      format('The model server was asked to continue an answer of %s: %s before, %s now.', p_model, v_before, p_continuation));
  END IF;
END $$;
COMMENT ON FUNCTION fleet.set_continuation(text, text) IS
  'What the calling node''s model server does with the beginning of an answer: continues, starts_over or refuses. A change is an event.';

DROP FUNCTION IF EXISTS fleet.record_llm_request(
  uuid, uuid, text, bigint, bigint, double precision, double precision, text);
CREATE OR REPLACE FUNCTION fleet.record_llm_request(
  p_request uuid, p_task uuid, p_model text, p_prompt_tokens bigint, p_completion_tokens bigint,
  p_duration_seconds double precision, p_time_to_first_token_seconds double precision, p_outcome text,
  p_cached_prompt_tokens bigint DEFAULT NULL
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
  v_model jsonb := jsonb_build_object('model', p_model);
  v_writing jsonb := v_model || jsonb_build_object('prompt', fleet.prompt_length(p_prompt_tokens));
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(p_request::text, 0));
  IF EXISTS (SELECT FROM telemetry.llm_requests r WHERE r.request_id = p_request AND r.time > now() - interval '1 day') THEN
    RETURN;
  END IF;
  INSERT INTO telemetry.llm_requests (node, request_id, task_id, model, prompt_tokens, completion_tokens,
    cached_prompt_tokens, duration_seconds, time_to_first_token_seconds, outcome)
  VALUES (v_node, p_request, p_task, p_model, p_prompt_tokens, p_completion_tokens,
    p_cached_prompt_tokens, p_duration_seconds, p_time_to_first_token_seconds, p_outcome);
  -- A counter that does not exist says that nothing is known; one at 0 would say that there was nothing.
  IF p_prompt_tokens IS NOT NULL THEN
    PERFORM fleet.bump_counter(v_node, 'fleet_llm_tokens_total', v_model || '{"kind": "prompt"}', p_prompt_tokens);
  END IF;
  IF p_cached_prompt_tokens IS NOT NULL THEN
    PERFORM fleet.bump_counter(v_node, 'fleet_llm_cached_prompt_tokens_total', v_model, p_cached_prompt_tokens);
  END IF;
  PERFORM fleet.bump_counter(v_node, 'fleet_llm_tokens_total', v_model || '{"kind": "completion"}', p_completion_tokens);
  PERFORM fleet.bump_counter(v_node, 'fleet_llm_requests_total', v_model || jsonb_build_object('outcome', p_outcome), 1);
  PERFORM fleet.bump_histogram(v_node, 'fleet_llm_request_duration_seconds', v_model, p_duration_seconds);
  IF p_time_to_first_token_seconds IS NOT NULL THEN
    PERFORM fleet.bump_histogram(v_node, 'fleet_llm_time_to_first_token_seconds', v_model, p_time_to_first_token_seconds);
  END IF;
  -- What was cut off tells nothing of the speed.
  IF p_outcome IN ('ok', 'invalid') THEN
    PERFORM fleet.bump_counter(v_node, 'fleet_llm_writing_tokens_total', v_writing, p_completion_tokens);
    PERFORM fleet.bump_counter(v_node, 'fleet_llm_writing_seconds_total', v_writing,
      greatest(p_duration_seconds - coalesce(p_time_to_first_token_seconds, 0), 0));
  END IF;
END $$;
COMMENT ON FUNCTION fleet.record_llm_request(uuid, uuid, text, bigint, bigint, double precision, double precision, text, bigint) IS
  'Store one call to a model server and count it; a request id that is repeated within a day changes nothing. Tokens of the prompt that the server did not tell are NULL and not counted.';
