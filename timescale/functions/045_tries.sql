-- Turns that a check refused: count them, start a conversation over, or reject it.
CREATE OR REPLACE FUNCTION fleet.record_try(
  p_task uuid, p_worker uuid, p_attempt integer, p_request uuid, p_position integer, p_reason text,
  p_completion_tokens bigint, p_duration_seconds double precision
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_task fleet.tasks := fleet.hold_task(p_task, p_worker, p_attempt);
BEGIN
  INSERT INTO fleet.turn_tries
    (request_id, task_id, restart, position, try, node, reason, completion_tokens, duration_seconds)
  SELECT p_request, p_task, v_task.restarts, p_position, 1 + count(*), v_task.node, p_reason,
    p_completion_tokens, p_duration_seconds
  FROM fleet.turn_tries t
  WHERE t.task_id = p_task AND t.restart = v_task.restarts AND t.position = p_position
  ON CONFLICT (request_id) DO NOTHING;
  IF FOUND THEN
    PERFORM fleet.bump_counter(v_task.node, 'fleet_turn_tries_total',
      jsonb_build_object('scenario', v_task.scenario, 'reason', p_reason), 1);
  END IF;
END $$;
COMMENT ON FUNCTION fleet.record_try(uuid, uuid, integer, uuid, integer, text, bigint, double precision) IS
  'Store that a check refused a turn, and count it; a repeated request id changes nothing.';

CREATE OR REPLACE FUNCTION fleet.restart_task(
  p_task uuid, p_worker uuid, p_attempt integer, p_restarts integer, p_persona jsonb
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_task fleet.tasks := fleet.hold_task(p_task, p_worker, p_attempt);
  v_limit integer := fleet.setting('conversation_restarts_max', v_task.node);
BEGIN
  IF v_task.restarts = p_restarts THEN
    RETURN;
  ELSIF p_restarts <> v_task.restarts + 1 OR p_restarts > v_limit OR v_task.state <> 'running' THEN
    RAISE EXCEPTION 'task % cannot start over for the % time: it is %, has started over % times, % are allowed',
      p_task, p_restarts, v_task.state, v_task.restarts, v_limit
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Reject it, or raise the setting conversation_restarts_max.';
  END IF;
  DELETE FROM fleet.turns WHERE task_id = p_task;
  UPDATE fleet.tasks SET restarts = p_restarts, persona = p_persona WHERE task_id = p_task;
END $$;
COMMENT ON FUNCTION fleet.restart_task(uuid, uuid, integer, integer, jsonb) IS
  'Drop the draft turns of a running task and give it another persona; a repeated call changes nothing. Errors: not running, no restart left.';

CREATE OR REPLACE FUNCTION fleet.reject_task(
  p_task uuid, p_worker uuid, p_attempt integer, p_model text, p_reason text, p_stage text, p_evidence text,
  p_content_hash bytea, p_scrubbed text[], p_judge text, p_checks_passed integer, p_checks_total integer,
  p_healthcare jsonb DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_conversation uuid;
BEGIN
  IF p_reason IS NULL THEN
    RAISE EXCEPTION 'task % is rejected for no reason', p_task USING ERRCODE = 'check_violation',
      HINT = 'finish_task stores what no check refused.';
  END IF;
  v_conversation := fleet.store_conversation(p_task, p_worker, p_attempt, p_model);
  UPDATE fleet.conversations SET judging_worker_id = p_worker
  WHERE conversation_id = v_conversation AND state = 'unjudged';
  PERFORM fleet.store_verdict(v_conversation, p_worker, p_reason, p_stage, p_evidence, p_content_hash, p_scrubbed,
    p_judge, p_checks_passed, p_checks_total, p_healthcare);
  RETURN v_conversation;
END $$;
COMMENT ON FUNCTION fleet.reject_task(uuid, uuid, integer, text, text, text, text, bytea, text[], text, integer, integer, jsonb) IS
  'running -> done, its turns stored as a rejected conversation with reason and scrubbed evidence; a repeated call returns the same one.';
