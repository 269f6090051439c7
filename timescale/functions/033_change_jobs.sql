-- Jobs before they are ordered (estimates), and many at once (previews and changes).
DROP VIEW IF EXISTS fleet.job_nodes;
CREATE VIEW fleet.job_nodes AS
SELECT j.job_id, n.node FROM fleet.jobs j JOIN fleet.nodes n
  ON (j.node_class IS NULL OR n.node_class = j.node_class)
  AND (j.vram_bytes_min IS NULL OR n.vram_bytes >= j.vram_bytes_min)
  AND (j.model IS NULL OR j.model = (
    SELECT m.model FROM fleet.node_models m WHERE m.node = n.node ORDER BY m.asked_at DESC LIMIT 1))
WHERE n.removed_at IS NULL AND n.last_heartbeat_at > now() - interval '120 seconds' AND 'generate' = ANY (n.roles);
COMMENT ON VIEW fleet.job_nodes IS 'For each job the machines that are on, write, and are such as it asks for.';

CREATE OR REPLACE FUNCTION fleet.estimate_order(p_order jsonb) RETURNS TABLE (
  nodes integer, remaining bigint, queued_before bigint, tasks_max integer, eta_p50_at timestamptz, eta_p90_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_job uuid;
BEGIN
  -- Ordered, looked at, and undone: so an estimate refuses what an order would, and says what that would be told.
  BEGIN
    v_job := fleet.submit_order(p_order, 'estimate');
    SELECT (SELECT count(*) FROM fleet.job_nodes f WHERE f.job_id = v_job),
      j.remaining, j.queued_before, j.tasks_max, j.eta_p50_at, j.eta_p90_at
    INTO nodes, remaining, queued_before, tasks_max, eta_p50_at, eta_p90_at
    FROM analytics.jobs j WHERE j.job_id = v_job;
    RAISE EXCEPTION 'estimated' USING ERRCODE = 'FL003';
  EXCEPTION WHEN SQLSTATE 'FL003' THEN
    RETURN NEXT;
  END;
END $$;
COMMENT ON FUNCTION fleet.estimate_order(jsonb) IS
  'What an order would be told if it were given now, beside the jobs that there are, and how many machines are on that may write it; nothing is stored. Numbers and ends are NULL while the fleet is paused. Errors: those of submit_order.';

CREATE OR REPLACE FUNCTION fleet.preview_change(p_change text, p_filter jsonb, p_priority integer DEFAULT NULL)
RETURNS TABLE (jobs uuid[], confirm text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_unknown text;
BEGIN
  IF p_change IS NULL OR p_change NOT IN ('pause', 'resume', 'cancel', 'retry', 'move_first', 'move_last', 'set_priority') THEN
    RAISE EXCEPTION 'jobs cannot be changed by %', quote_nullable(p_change) USING ERRCODE = 'check_violation',
      HINT = 'Use pause, resume, cancel, retry, move_first, move_last or set_priority.';
  END IF;
  IF p_change = 'set_priority' THEN
    PERFORM fleet.check_priority(p_priority);
  END IF;
  SELECT k INTO v_unknown FROM jsonb_object_keys(p_filter) k
  WHERE k NOT IN ('state', 'scenario', 'requested_by', 'having_priority', 'job_ids') ORDER BY k LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'jobs cannot be chosen by %', quote_literal(v_unknown) USING ERRCODE = 'check_violation',
      HINT = 'Choose by state, scenario, requested_by, having_priority or job_ids.';
  END IF;
  IF p_filter ->> 'scenario' <> 'mixed' AND NOT EXISTS (SELECT FROM fleet.scenarios s WHERE s.scenario = p_filter ->> 'scenario') THEN
    RAISE EXCEPTION 'unknown scenario %', p_filter ->> 'scenario' USING ERRCODE = 'check_violation',
      HINT = 'Known: mixed, ' || (SELECT string_agg(s.scenario, ', ' ORDER BY s.scenario) FROM fleet.scenarios s);
  END IF;
  -- Those alone that the change may be made to, in the order of the queue.
  jobs := ARRAY(
    SELECT j.job_id FROM fleet.jobs j
    CROSS JOIN LATERAL (SELECT j.state IN ('pending', 'running') AS is_open) o
    WHERE CASE p_change
        WHEN 'pause' THEN o.is_open AND NOT j.is_paused
        WHEN 'resume' THEN o.is_open AND j.is_paused
        WHEN 'retry' THEN j.state <> 'cancelled' AND EXISTS (SELECT FROM fleet.job_counts c WHERE c.job_id = j.job_id AND c.failed > 0)
        WHEN 'set_priority' THEN o.is_open AND j.priority <> p_priority
        ELSE o.is_open END
      AND (p_filter ->> 'state' IS NULL OR p_filter ->> 'state' = CASE WHEN o.is_open AND j.is_paused THEN 'paused' ELSE j.state::text END)
      AND (p_filter -> 'job_ids' IS NULL OR p_filter -> 'job_ids' ? j.job_id::text)
      AND (p_filter ->> 'requested_by' IS NULL OR j.requested_by = p_filter ->> 'requested_by')
      AND (p_filter ->> 'having_priority' IS NULL OR j.priority = (p_filter ->> 'having_priority')::integer)
      AND (p_filter ->> 'scenario' IS NULL OR p_filter ->> 'scenario' = CASE
        WHEN (SELECT count(*) FROM jsonb_object_keys(j.mix)) > 1 THEN 'mixed' ELSE (SELECT * FROM jsonb_object_keys(j.mix) LIMIT 1) END)
    ORDER BY o.is_open DESC, j.priority DESC, j.rank, j.created_at, j.job_id LIMIT 1001);
  IF cardinality(jobs) > 1000 THEN
    RAISE EXCEPTION 'more than 1000 jobs would be changed at once' USING ERRCODE = 'check_violation', HINT = 'Choose fewer of them.';
  END IF;
  confirm := left(encode(sha256(convert_to(
    concat_ws(' ', p_change, CASE p_change WHEN 'set_priority' THEN p_priority END, jobs::text), 'UTF8')), 'hex'), 16);
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION fleet.preview_change(text, jsonb, integer) IS
  'Which jobs change_jobs would change now, in the order of the queue, and what confirms just these. Filter: {"state", "scenario", "requested_by", "having_priority", "job_ids" (a list)}, all optional. Errors: no such change, no such filter.';

CREATE OR REPLACE FUNCTION fleet.change_jobs(p_change text, p_filter jsonb, p_priority integer, p_confirm text) RETURNS uuid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_found record;
  v_job uuid;
BEGIN
  -- As each move does, and before the jobs: else two might wait for each other.
  PERFORM pg_advisory_xact_lock(hashtext('fleet.move_job'));
  SELECT * INTO v_found FROM fleet.preview_change(p_change, p_filter, p_priority);
  PERFORM FROM fleet.jobs j WHERE j.job_id = ANY (v_found.jobs) ORDER BY j.job_id FOR NO KEY UPDATE;
  -- Those that ended or changed while we waited for them.
  SELECT * INTO v_found FROM fleet.preview_change(p_change, p_filter, p_priority);
  IF v_found.confirm IS DISTINCT FROM p_confirm THEN
    RAISE EXCEPTION 'this would change % jobs, others than % stands for', cardinality(v_found.jobs), quote_nullable(p_confirm)
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Look at the preview again, and send what confirms that one.';
  END IF;
  -- The one that is moved to the front last is the first.
  FOR v_job IN
    SELECT u.job_id FROM unnest(v_found.jobs) WITH ORDINALITY AS u(job_id, number)
    ORDER BY CASE p_change WHEN 'move_first' THEN -u.number ELSE u.number END
  LOOP
    CASE p_change
      WHEN 'pause' THEN PERFORM fleet.pause_job(v_job);
      WHEN 'resume' THEN PERFORM fleet.resume_job(v_job);
      WHEN 'cancel' THEN PERFORM fleet.cancel_job(v_job);
      WHEN 'retry' THEN PERFORM fleet.retry_job(v_job);
      WHEN 'move_first' THEN PERFORM fleet.move_job(v_job, 'first');
      WHEN 'move_last' THEN PERFORM fleet.move_job(v_job, 'last');
      WHEN 'set_priority' THEN PERFORM fleet.set_job_priority(v_job, p_priority);
    END CASE;
  END LOOP;
  RETURN v_found.jobs;
END $$;
COMMENT ON FUNCTION fleet.change_jobs(text, jsonb, integer, text) IS
  'Pause, resume, cancel, retry, move or give another priority to all jobs that the preview told, or to none. Returns them. Errors: those of preview_change; other jobs than the ones that were confirmed.';
