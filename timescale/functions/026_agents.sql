-- Who speaks for a node: one machine at a time.
CREATE OR REPLACE FUNCTION fleet.hold_node(p_machine text, p_host text) RETURNS TABLE (is_held boolean, holder text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_row fleet.nodes;
  v_now timestamptz := clock_timestamp();
BEGIN
  SELECT * INTO v_row FROM fleet.nodes n WHERE n.node = fleet.current_node() FOR UPDATE;
  -- Four heartbeats, and not less than it takes a machine to boot anew.
  IF v_row.machine <> p_machine AND v_row.machine_seen_at
      > v_now - make_interval(secs => 4 * fleet.setting('heartbeat_seconds', v_row.node)) THEN
    UPDATE fleet.nodes n SET duplicated_at = v_now WHERE n.node = v_row.node;
    -- Once a day for each machine, however often its agent tries.
    PERFORM fleet.record_event(
      md5(v_row.node || p_machine || (v_now AT TIME ZONE 'UTC')::date)::uuid, NULL, 'error', 'node_duplicated',
      format('Two machines say that they are %s: %s, which goes on, and %s, which is refused. One is a copy of the other.',
        v_row.node, v_row.machine_host, p_host), v_row.node);
    RETURN QUERY SELECT false, v_row.machine_host;
    RETURN;
  END IF;
  UPDATE fleet.nodes n SET machine = p_machine, machine_host = p_host, machine_seen_at = v_now WHERE n.node = v_row.node;
  RETURN QUERY SELECT true, p_host;
END $$;
COMMENT ON FUNCTION fleet.hold_node(text, text) IS
  'The agent on this machine speaks for the calling node from now on. Not held while another machine does so: that is told as an event, and nothing of the other is overwritten.';

CREATE OR REPLACE FUNCTION fleet.own_standing()
RETURNS TABLE (node text, heartbeat_at timestamptz, worker_state text, machine text, machine_host text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT n.node, n.last_heartbeat_at, n.worker_state, n.machine, n.machine_host FROM fleet.nodes n
  WHERE n.node = fleet.current_node();
$$;
COMMENT ON FUNCTION fleet.own_standing() IS 'What the database knows of the calling node: for `fleet status` on that machine.';
