-- Commands to nodes: requested by people, acknowledged and finished by the node's agent, expired by whoever looks first.
CREATE OR REPLACE FUNCTION fleet.tell_command(p_command fleet.commands) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_what text := format('%s of the worker on %s', replace(p_command.verb, '_', ' '), p_command.node);
BEGIN
  PERFORM fleet.record_event(
    md5(p_command.command_id::text || p_command.state)::uuid, NULL,
    CASE WHEN p_command.state IN ('failed', 'expired') THEN 'warning' ELSE 'info' END,
    'command_' || p_command.state,
    CASE p_command.state
      WHEN 'requested' THEN format('%s was requested by %s%s', initcap(left(v_what, 1)) || substr(v_what, 2),
        p_command.requested_by, coalesce(': ' || nullif(p_command.reason, ''), '.'))
      WHEN 'acknowledged' THEN format('The node agent begins with the %s.', v_what)
      ELSE format('The %s is %s: %s.', v_what, p_command.state, rtrim(p_command.result, '.'))
    END, p_command.node);
END $$;
COMMENT ON FUNCTION fleet.tell_command(fleet.commands) IS 'The event of a command that has come into its state.';

CREATE OR REPLACE FUNCTION fleet.send_command(
  p_node text, p_verb text, p_by text, p_reason text, p_deadline_seconds double precision
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_command fleet.commands;
BEGIN
  INSERT INTO fleet.commands (node, verb, requested_by, reason, deadline_at)
  VALUES (p_node, p_verb, p_by, coalesce(p_reason, ''), clock_timestamp() + make_interval(secs => p_deadline_seconds))
  RETURNING * INTO v_command;
  PERFORM fleet.tell_command(v_command);
  PERFORM pg_notify('fleet_commands', p_node);
  RETURN v_command.command_id;
END $$;
COMMENT ON FUNCTION fleet.send_command(text, text, text, text, double precision) IS
  'Store and tell a command and wake the agent of its node; returns its id. For the functions that check who may be told what.';

CREATE OR REPLACE FUNCTION fleet.request_command(
  p_node text, p_verb text, p_by text, p_reason text DEFAULT '', p_deadline_seconds double precision DEFAULT 300
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_verb NOT IN ('start', 'stop', 'restart', 'drain') THEN
    RAISE EXCEPTION 'unknown command %', quote_literal(p_verb) USING ERRCODE = 'check_violation',
      HINT = 'Use start, stop, restart or drain.';
  END IF;
  IF p_deadline_seconds IS NULL OR NOT p_deadline_seconds BETWEEN 1 AND 86400 THEN
    RAISE EXCEPTION 'deadline must be between 1 and 86400 seconds from now, not %', p_deadline_seconds
      USING ERRCODE = 'check_violation', HINT = 'Give the seconds within which the node must begin.';
  END IF;
  -- Held against a removal of the node meanwhile.
  PERFORM FROM fleet.nodes n WHERE n.node = p_node AND n.removed_at IS NULL FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no node %', p_node USING ERRCODE = 'no_data_found', HINT = 'GET /nodes lists all nodes.';
  END IF;
  IF p_verb IN ('start', 'restart') AND fleet.is_stopped() THEN
    RAISE EXCEPTION 'the fleet is stopped since an emergency stop' USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Resume the fleet first: no worker runs before.';
  END IF;
  RETURN fleet.send_command(p_node, p_verb, p_by, p_reason, p_deadline_seconds);
END $$;
COMMENT ON FUNCTION fleet.request_command(text, text, text, text, double precision) IS
  'Ask a node for start, stop, restart or drain within a time; wakes its agent and returns the id of the command.';

CREATE OR REPLACE FUNCTION fleet.settle_command(p_command uuid, p_state text, p_result text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_command fleet.commands;
BEGIN
  UPDATE fleet.commands c SET state = p_state, finished_at = clock_timestamp(), result = p_result
  WHERE c.command_id = p_command AND c.state IN ('requested', 'acknowledged') RETURNING * INTO v_command;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM fleet.tell_command(v_command);
  RETURN true;
END $$;
COMMENT ON FUNCTION fleet.settle_command(uuid, text, text) IS 'End an open command; false when it has ended already. For the functions beside it.';

CREATE OR REPLACE FUNCTION fleet.expire_commands() RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*)::integer FROM (
    SELECT fleet.settle_command(late.command_id, 'expired', CASE late.state
      WHEN 'requested' THEN 'the node did not begin in time'
      ELSE 'the node began and was not heard of again' END) AS is_changed
    FROM (
      SELECT c.command_id, c.state FROM fleet.commands c JOIN fleet.nodes n USING (node)
      WHERE c.deadline_at <= clock_timestamp() AND (c.state = 'requested' OR c.state = 'acknowledged'
        AND greatest(n.last_heartbeat_at, c.acknowledged_at) < clock_timestamp() - interval '120 seconds')
      ORDER BY c.number FOR UPDATE OF c SKIP LOCKED
    ) late
  ) settled WHERE is_changed;
$$;
COMMENT ON FUNCTION fleet.expire_commands() IS
  'End the commands whose deadline has passed: those that no node has begun with, and those begun by a node that is offline. Returns how many.';

CREATE OR REPLACE FUNCTION fleet.open_commands()
RETURNS TABLE (command_id uuid, verb text, arguments jsonb, state text, is_late boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.command_id, c.verb, c.arguments, c.state, c.deadline_at <= clock_timestamp() FROM fleet.commands c
  WHERE c.node = fleet.current_node() AND c.state IN ('requested', 'acknowledged') ORDER BY c.number;
$$;
COMMENT ON FUNCTION fleet.open_commands() IS 'What the calling node has still to do, in its order; is_late by the clock of the database.';

CREATE OR REPLACE FUNCTION fleet.acknowledge_command(p_command uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
  v_command fleet.commands;
BEGIN
  SELECT * INTO v_command FROM fleet.commands c WHERE c.command_id = p_command AND c.node = v_node FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'node % has no command %', v_node, p_command USING ERRCODE = 'no_data_found';
  END IF;
  IF v_command.state IN ('requested', 'acknowledged') AND v_command.deadline_at <= clock_timestamp() THEN
    PERFORM fleet.settle_command(p_command, 'expired', CASE v_command.state
      WHEN 'requested' THEN 'the node did not begin in time' ELSE 'the node agent ended before it had begun' END);
    RETURN false;
  END IF;
  IF v_command.state = 'requested' THEN
    UPDATE fleet.commands c SET state = 'acknowledged', acknowledged_at = clock_timestamp()
    WHERE c.command_id = p_command RETURNING * INTO v_command;
    PERFORM fleet.tell_command(v_command);
  END IF;
  RETURN v_command.state = 'acknowledged';
END $$;
COMMENT ON FUNCTION fleet.acknowledge_command(uuid) IS
  'The node is about to begin. False when it must not: the command has ended, or its deadline has passed, and it expires now.';

CREATE OR REPLACE FUNCTION fleet.finish_command(p_command uuid, p_state text, p_result text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
  v_state text;
BEGIN
  IF p_state NOT IN ('done', 'failed') THEN
    RAISE EXCEPTION 'a node ends a command as done or failed, not as %', quote_literal(p_state)
      USING ERRCODE = 'check_violation';
  END IF;
  SELECT c.state INTO v_state FROM fleet.commands c WHERE c.command_id = p_command AND c.node = v_node FOR UPDATE;
  IF v_state IS NULL THEN
    RAISE EXCEPTION 'node % has no command %', v_node, p_command USING ERRCODE = 'no_data_found';
  ELSIF v_state = 'requested' THEN
    RAISE EXCEPTION 'command % was not acknowledged', p_command USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN fleet.settle_command(p_command, p_state, p_result);
END $$;
COMMENT ON FUNCTION fleet.finish_command(uuid, text, text) IS
  'The node has obeyed (done), or could not (failed). False when the command has ended already: obeying twice tells nothing twice.';
