-- The state of the fleet: running, paused, or stopped in an emergency; nothing but people changes it.
CREATE OR REPLACE FUNCTION fleet.set_fleet_state(p_state text, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_before fleet.state;
BEGIN
  IF p_state NOT IN ('running', 'paused') THEN
    RAISE EXCEPTION 'unknown fleet state %', p_state USING ERRCODE = 'check_violation', HINT = 'Use running or paused.';
  END IF;
  SELECT * INTO v_before FROM fleet.state FOR UPDATE;
  IF v_before.state = 'stopped' AND p_state = 'paused' THEN
    RAISE EXCEPTION 'the fleet is stopped since the emergency stop by %', v_before.changed_by
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'It takes no work. Resume it first; it can be paused then.';
  END IF;
  IF v_before.state <> p_state THEN
    UPDATE fleet.state SET state = p_state, changed_at = now(), changed_by = p_by, reason = p_reason;
    PERFORM fleet.record_event(gen_random_uuid(), NULL, 'info',
      CASE p_state WHEN 'paused' THEN 'fleet_paused' ELSE 'fleet_resumed' END,
      format('The fleet was %s by %s%s', CASE WHEN p_state = 'paused' THEN 'paused'
        WHEN v_before.state = 'stopped' THEN 'resumed after the emergency stop' ELSE 'resumed' END,
        p_by, coalesce(': ' || nullif(p_reason, ''), '.')));
  END IF;
  IF v_before.state = 'stopped' THEN
    PERFORM fleet.settle_command(c.command_id, 'expired', 'the fleet was resumed before the node had stopped')
    FROM fleet.commands c WHERE c.verb = 'emergency_stop' AND c.state IN ('requested', 'acknowledged');
    -- All agents: each lets its worker run after a while of its own.
    PERFORM pg_notify('fleet_commands', '*');
  END IF;
  PERFORM pg_notify('fleet_work', p_state);
  RETURN v_before.state <> p_state;
END $$;
COMMENT ON FUNCTION fleet.set_fleet_state(text, text, text) IS
  'running or paused for all nodes; false when it was so already. running also ends an emergency stop; a stopped fleet cannot be paused.';

CREATE OR REPLACE FUNCTION fleet.await_claims() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('fleet.claim'));
EXCEPTION WHEN lock_not_available THEN
  NULL; -- A claim that hangs does not hold an emergency stop up; its node ends the worker.
END $$;
COMMENT ON FUNCTION fleet.await_claims() IS
  'Wait for the claims that are under way, and hold others up until the end of the transaction: they will see what it has changed.';

CREATE OR REPLACE FUNCTION fleet.emergency_stop(p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_changed boolean;
BEGIN
  PERFORM fleet.await_claims();
  UPDATE fleet.state SET state = 'stopped', changed_at = now(), stopped_at = clock_timestamp(), changed_by = p_by, reason = p_reason
  WHERE state <> 'stopped';
  v_changed := FOUND;
  IF v_changed THEN
    PERFORM fleet.record_event(gen_random_uuid(), NULL, 'warning', 'fleet_stopped',
      format('Emergency stop by %s%s', p_by, coalesce(': ' || nullif(p_reason, ''), '.')));
    PERFORM fleet.settle_command(c.command_id, 'failed', 'overtaken by the emergency stop')
    FROM fleet.commands c WHERE c.verb <> 'emergency_stop' AND c.state IN ('requested', 'acknowledged');
  END IF;
  -- Pressed again: those that have not obeyed yet are told again.
  PERFORM fleet.send_command(told.node, 'emergency_stop', p_by, p_reason, 300) FROM (
    SELECT n.node FROM fleet.nodes n WHERE n.removed_at IS NULL AND NOT EXISTS (
      SELECT FROM fleet.commands c JOIN fleet.state s ON c.requested_at >= s.stopped_at
      WHERE c.node = n.node AND c.verb = 'emergency_stop' AND c.state IN ('requested', 'acknowledged', 'done'))
    ORDER BY n.node) told;
  PERFORM pg_notify('fleet_work', 'stopped');
  RETURN v_changed;
END $$;
COMMENT ON FUNCTION fleet.emergency_stop(text, text) IS
  'Nothing is claimed from now on, and all nodes are told to end their workers; holds until resume. False when it was stopped already: who has not obeyed is told again.';

CREATE OR REPLACE FUNCTION fleet.is_stopped() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.state = 'stopped' FROM fleet.state s;
$$;
COMMENT ON FUNCTION fleet.is_stopped() IS 'True from an emergency stop until resume: no worker may run.';

CREATE OR REPLACE FUNCTION fleet.may_run() RETURNS TABLE (is_stopped boolean, resume_seconds double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
BEGIN
  -- By its name: each node has its own time, and a fleet does not draw all its power at once.
  RETURN QUERY SELECT fleet.is_stopped(), (hashtext(v_node) & 1023) / 1024.0 * fleet.setting('resume_spread_seconds', v_node);
END $$;
COMMENT ON FUNCTION fleet.may_run() IS 'Whether an emergency stop holds, and how many seconds after its end the calling node lets its worker run.';
