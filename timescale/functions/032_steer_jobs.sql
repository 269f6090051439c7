-- What people do with a job after they have ordered it: hold, move, prefer, cancel, have it tried again.
CREATE OR REPLACE FUNCTION fleet.hold_job(p_job uuid) RETURNS fleet.jobs
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_job fleet.jobs;
BEGIN
  -- NO KEY: the foreign key of a conversation that is stored must not wait for us while we wait for its task.
  SELECT * INTO v_job FROM fleet.jobs j WHERE j.job_id = p_job FOR NO KEY UPDATE;
  IF v_job.job_id IS NULL THEN
    RAISE EXCEPTION 'no job %', p_job USING ERRCODE = 'no_data_found', HINT = 'See analytics.jobs.';
  END IF;
  RETURN v_job;
END $$;
COMMENT ON FUNCTION fleet.hold_job(uuid) IS 'Lock a job; an error where there is none.';

CREATE OR REPLACE FUNCTION fleet.hold_open_job(p_job uuid) RETURNS fleet.jobs
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_job fleet.jobs := fleet.hold_job(p_job);
BEGIN
  IF v_job.state NOT IN ('pending', 'running') THEN
    RAISE EXCEPTION 'job % is already %', p_job, v_job.state USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN v_job;
END $$;
COMMENT ON FUNCTION fleet.hold_open_job(uuid) IS 'Lock a job that has not ended; an error where it has, or where there is none.';

CREATE OR REPLACE FUNCTION fleet.cancel_job(p_job uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_cancelled integer;
BEGIN
  PERFORM fleet.hold_open_job(p_job);
  UPDATE fleet.tasks SET state = 'cancelled', lease_until = NULL, finished_at = clock_timestamp()
  WHERE job_id = p_job AND state IN ('pending', 'claimed', 'running');
  GET DIAGNOSTICS v_cancelled = ROW_COUNT;
  UPDATE fleet.jobs SET state = 'cancelled', finished_at = clock_timestamp() WHERE job_id = p_job;
  PERFORM pg_notify('fleet_work', 'cancelled');
  RETURN v_cancelled;
END $$;
COMMENT ON FUNCTION fleet.cancel_job(uuid) IS
  'End a job; its open tasks are cancelled, running conversations are dropped by their workers. Errors: no such job, already ended.';

CREATE OR REPLACE FUNCTION fleet.pause_job(p_job uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM fleet.hold_open_job(p_job);
  UPDATE fleet.jobs SET is_paused = true WHERE job_id = p_job AND NOT is_paused;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  -- One that its worker begins at this moment is locked: it is being written.
  PERFORM fleet.return_task(t, NULL, 'its job was paused')
  FROM (SELECT k.* FROM fleet.tasks k WHERE k.job_id = p_job AND k.state = 'claimed' FOR UPDATE SKIP LOCKED) AS t;
  RETURN true;
END $$;
COMMENT ON FUNCTION fleet.pause_job(uuid) IS
  'Claim none of its tasks until it is resumed; those not begun go back to pending, what is being written is finished. False when it was so already. Errors: no such job, already ended.';

CREATE OR REPLACE FUNCTION fleet.resume_job(p_job uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM fleet.hold_open_job(p_job);
  UPDATE fleet.jobs SET is_paused = false WHERE job_id = p_job AND is_paused;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM fleet.join_queue(p_job);
  PERFORM pg_notify('fleet_work', 'resumed');
  RETURN true;
END $$;
COMMENT ON FUNCTION fleet.resume_job(uuid) IS
  'Go on with a paused job, beside the others as they are now. False when it was not paused. Errors: no such job, already ended.';

CREATE OR REPLACE FUNCTION fleet.set_job_priority(p_job uuid, p_priority integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM fleet.check_priority(p_priority);
  PERFORM fleet.hold_open_job(p_job);
  UPDATE fleet.jobs SET priority = p_priority, rank = 0 WHERE job_id = p_job AND priority <> p_priority;
  IF FOUND THEN
    PERFORM fleet.join_queue(p_job);
  END IF;
END $$;
COMMENT ON FUNCTION fleet.set_job_priority(uuid, integer) IS
  'Put a job among those of another priority, unmoved. Errors: no such job, already ended, no priority.';

CREATE OR REPLACE FUNCTION fleet.move_job(p_job uuid, p_to text, p_other uuid DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_job fleet.jobs;
  v_other fleet.jobs;
  v_rank bigint;
BEGIN
  IF p_to IS NULL OR p_to NOT IN ('first', 'last', 'before', 'beside') OR (p_to IN ('before', 'beside')) <> (p_other IS NOT NULL)
      OR p_other = p_job THEN
    RAISE EXCEPTION 'cannot move a job % of %', quote_nullable(p_to), quote_nullable(p_other) USING ERRCODE = 'check_violation',
      HINT = 'Move it to first or last of its priority, or before or beside another job.';
  END IF;
  -- One move at a time: two could not both be first.
  PERFORM pg_advisory_xact_lock(hashtext('fleet.move_job'));
  v_job := fleet.hold_open_job(p_job);
  CASE p_to
    WHEN 'first', 'last' THEN
      SELECT CASE p_to WHEN 'first' THEN min(j.rank) - 1 ELSE max(j.rank) + 1 END INTO v_rank FROM fleet.jobs j
      WHERE j.state IN ('pending', 'running') AND j.priority = v_job.priority AND j.job_id <> p_job;
    ELSE
      v_other := fleet.hold_open_job(p_other);
      IF v_other.priority <> v_job.priority THEN
        RAISE EXCEPTION 'job % has priority %, job % has %', p_job, v_job.priority, p_other, v_other.priority
          USING ERRCODE = 'check_violation', HINT = 'Give it the same priority first.';
      END IF;
      v_rank := v_other.rank;
      IF p_to = 'before' THEN
        -- Room for it alone, between those before the other and those that share with the other.
        UPDATE fleet.jobs j SET rank = j.rank - 1
        WHERE j.state IN ('pending', 'running') AND j.priority = v_job.priority AND j.rank < v_rank AND j.job_id <> p_job;
        v_rank := v_rank - 1;
      END IF;
  END CASE;
  UPDATE fleet.jobs SET rank = coalesce(v_rank, v_job.rank) WHERE job_id = p_job RETURNING rank INTO v_rank;
  PERFORM fleet.join_queue(p_job);
  PERFORM fleet.tell_job(p_job, 'job_moved', 'is served ' || p_to || coalesce(' job ' || p_other, ' of its priority'));
  RETURN v_rank;
END $$;
COMMENT ON FUNCTION fleet.move_job(uuid, text, uuid) IS
  'Change the order within a priority: first, last, before another job (served only when it needs no machine), beside another (sharing with it). Returns the rank. Errors: no such job, already ended, other priority.';

CREATE OR REPLACE FUNCTION fleet.retry_job(p_job uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_job fleet.jobs := fleet.hold_job(p_job);
  v_lacking bigint; -- NULL: as many as have failed
  v_retried integer;
BEGIN
  IF v_job.state = 'cancelled' THEN
    RAISE EXCEPTION 'job % was cancelled', p_job USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Order another one.';
  END IF;
  IF v_job.counts = 'accepted' THEN
    SELECT greatest(0, v_job.wanted - c.accepted - c.unjudged - c.pending - c.claimed - c.running) INTO v_lacking
    FROM fleet.job_counts c WHERE c.job_id = p_job;
  END IF;
  UPDATE fleet.tasks t SET state = 'pending', place = f.place, failures = 0, forgiven_attempt = t.attempt,
    error = 'a person has it tried again', finished_at = NULL
  FROM (
    -- Behind what has not been tried yet.
    SELECT r.task_id, row_number() OVER (ORDER BY r.place) + (SELECT greatest(max(m.place), v_job.wanted) FROM fleet.tasks m
      WHERE m.job_id = p_job) AS place
    FROM fleet.tasks r WHERE r.job_id = p_job AND r.state = 'failed' ORDER BY r.place LIMIT v_lacking) f
  WHERE t.task_id = f.task_id AND t.state = 'failed';
  GET DIAGNOSTICS v_retried = ROW_COUNT;
  IF v_retried > 0 AND v_job.state IN ('done', 'failed') THEN
    UPDATE fleet.jobs SET state = 'running', finished_at = NULL WHERE job_id = p_job;
    PERFORM fleet.join_queue(p_job);
  END IF;
  IF v_retried > 0 THEN
    PERFORM fleet.tell_job(p_job, 'job_retried', format('has %s tasks tried again that were given up', v_retried));
    PERFORM pg_notify('fleet_work', 'retried');
  END IF;
  RETURN v_retried;
END $$;
COMMENT ON FUNCTION fleet.retry_job(uuid) IS
  'Have the tasks that were given up tried again, their failures forgiven; a job that had ended runs again; one that counts accepted conversations tries no more than it lacks. Returns how many. Errors: no such job, cancelled.';
