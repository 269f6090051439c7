-- How a machine comes into the fleet by itself, and how it is sent away.
CREATE OR REPLACE FUNCTION fleet.invite_node(p_code_hash bytea, p_by text, p_lifetime interval) RETURNS timestamptz
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM fleet.node_invitations i WHERE i.used_at IS NULL AND i.expires_at < clock_timestamp();
  INSERT INTO fleet.node_invitations (code_hash, created_by, expires_at)
  VALUES (p_code_hash, p_by, clock_timestamp() + p_lifetime) RETURNING expires_at;
$$;
COMMENT ON FUNCTION fleet.invite_node(bytea, text, interval) IS 'Let one machine join with a code; returns until when. Forgets what has expired.';

CREATE OR REPLACE FUNCTION fleet.join_node(
  p_code_hash bytea, p_node_id uuid, p_host text, p_scrape_address text, p_password_verifier text
) RETURNS TABLE (node text, login name, invited_by text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_by text;
  v_node text;
BEGIN
  UPDATE fleet.node_invitations i SET used_at = clock_timestamp()
  WHERE i.code_hash = p_code_hash AND i.used_at IS NULL AND i.expires_at > clock_timestamp() RETURNING i.created_by INTO v_by;
  IF v_by IS NULL THEN
    RETURN;
  END IF;
  SELECT n.node INTO v_node FROM fleet.nodes n WHERE n.node_id = p_node_id AND n.removed_at IS NULL
    AND n.last_heartbeat_at > clock_timestamp() - interval '120 seconds';
  IF v_node IS NOT NULL THEN
    RAISE EXCEPTION 'the id of this machine is that of node %, which is alive', v_node
      USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'One is a copy of the other: join from a new home, which gets an id of its own, or stop that node first.';
  END IF;
  v_node := fleet.enroll_node(p_node_id, p_host, '{generate,quality}', p_scrape_address, p_password_verifier);
  UPDATE fleet.node_invitations i SET node = v_node WHERE i.code_hash = p_code_hash;
  PERFORM fleet.record_event(gen_random_uuid(), NULL, 'info', 'node_joined',
    format('%s joined the fleet, invited by %s.', v_node, v_by), v_node);
  RETURN QUERY SELECT n.node, n.login, v_by FROM fleet.nodes n WHERE n.node = v_node;
END $$;
COMMENT ON FUNCTION fleet.join_node(bytea, uuid, text, text, text) IS
  'Take a machine in that has a code: name and login. No row for a code that is unknown, used or expired. Error: the id is that of a living node.';

CREATE OR REPLACE FUNCTION fleet.put_scrape_token(p_hash bytea, p_next_hash bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO fleet.scrape_token AS t (current_hash, next_hash) VALUES (p_hash, p_next_hash)
  ON CONFLICT (is_singleton) DO UPDATE SET current_hash = excluded.current_hash, next_hash = excluded.next_hash,
    previous_hash = CASE WHEN t.current_hash = excluded.current_hash THEN t.previous_hash ELSE t.current_hash END,
    changed_at = CASE WHEN t.current_hash = excluded.current_hash THEN t.changed_at ELSE clock_timestamp() END;
$$;
COMMENT ON FUNCTION fleet.put_scrape_token(bytea, bytea) IS
  'Make the first the token of all scrapes and announce the second; the one before stays good until the next change.';

CREATE OR REPLACE FUNCTION fleet.scrape_hashes() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((SELECT array_remove(ARRAY[encode(t.current_hash, 'hex'), encode(t.next_hash, 'hex'),
    encode(t.previous_hash, 'hex')], NULL) FROM fleet.scrape_token t), '{}');
$$;
COMMENT ON FUNCTION fleet.scrape_hashes() IS 'What exporters accept: sha256 of the current token, the next and the one before, hexadecimal.';

CREATE OR REPLACE FUNCTION fleet.is_scrape_token_due() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  -- Exporters hear of a token with the heartbeat of their agent: six of them must have gone by since the last change.
  SELECT EXISTS (SELECT FROM fleet.scrape_token t JOIN fleet.nodes n ON n.removed_at > t.changed_at
    WHERE t.changed_at < clock_timestamp() - make_interval(secs => 6 * fleet.setting('heartbeat_seconds')));
$$;
COMMENT ON FUNCTION fleet.is_scrape_token_due() IS 'True when a node was removed that knows the current token, and the next one has been announced for long enough.';

CREATE OR REPLACE FUNCTION fleet.remove_node(p_node text, p_by text, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_login name;
BEGIN
  UPDATE fleet.nodes n SET removed_at = clock_timestamp() WHERE n.node = p_node AND n.removed_at IS NULL
  RETURNING n.login INTO v_login;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no node %', p_node USING ERRCODE = 'no_data_found', HINT = 'GET /nodes lists all nodes.';
  END IF;
  PERFORM fleet.settle_command(c.command_id, 'failed', 'the node was removed') FROM (
    SELECT o.command_id FROM fleet.commands o WHERE o.node = p_node AND o.state IN ('requested', 'acknowledged')
    ORDER BY o.number) c;
  -- A session that is open still may do nothing from now on, whether or not it is ended.
  EXECUTE format('REVOKE fleet_exporter, fleet_worker FROM %I', v_login);
  EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', v_login);
  PERFORM fleet.record_event(gen_random_uuid(), NULL, 'info', 'node_removed',
    format('%s was removed from the fleet by %s%s', p_node, p_by, coalesce(': ' || nullif(p_reason, ''), '.')), p_node);
END $$;
COMMENT ON FUNCTION fleet.remove_node(text, text, text) IS
  'Send a machine away: no target, no login, no rights, no command. Its readings and conversations stay. end_sessions comes after the commit.';

CREATE OR REPLACE FUNCTION fleet.end_sessions(p_node text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_login name;
BEGIN
  SELECT n.login INTO v_login FROM fleet.nodes n WHERE n.node = p_node AND n.removed_at IS NOT NULL;
  IF v_login IS NOT NULL AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    EXECUTE format('GRANT %I TO %I', v_login, current_user); -- who is no superuser ends only sessions of roles that it has
  END IF;
  RETURN (SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a WHERE a.usename = v_login);
END $$;
COMMENT ON FUNCTION fleet.end_sessions(text) IS 'End the database sessions of a removed node; returns how many there were.';
