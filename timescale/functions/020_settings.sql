-- Settings: effective values, new versions; the fleet's state and its leader.
CREATE OR REPLACE FUNCTION fleet.setting(p_key text, p_node text DEFAULT NULL) RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(
    (SELECT c.value FROM fleet.config c WHERE c.key = p_key AND c.valid_to IS NULL AND c.scope = 'node:' || p_node),
    (SELECT c.value FROM fleet.nodes n JOIN fleet.config c ON c.scope = ANY (SELECT 'role:' || r FROM unnest(n.roles) r)
     WHERE n.node = p_node AND c.key = p_key AND c.valid_to IS NULL ORDER BY c.version DESC LIMIT 1),
    (SELECT c.value FROM fleet.config c WHERE c.key = p_key AND c.valid_to IS NULL AND c.scope = 'fleet'),
    (SELECT s.default_value FROM fleet.settings s WHERE s.key = p_key));
$$;
COMMENT ON FUNCTION fleet.setting(text, text) IS 'The value in force: node scope before role scope (the newest) before fleet scope before the default.';

CREATE OR REPLACE FUNCTION fleet.node_settings() RETURNS TABLE (version bigint, settings jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((SELECT max(c.version) FROM fleet.config c), 0),
    (SELECT jsonb_object_agg(s.key, fleet.setting(s.key, fleet.current_node())) FROM fleet.settings s);
$$;
COMMENT ON FUNCTION fleet.node_settings() IS 'Version and every setting in force for the calling node.';

CREATE OR REPLACE FUNCTION fleet.set_config(
  p_scope text, p_key text, p_value double precision, p_author text, p_reason text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_setting fleet.settings;
  v_version bigint;
BEGIN
  SELECT * INTO v_setting FROM fleet.settings s WHERE s.key = p_key;
  IF v_setting.key IS NULL THEN
    RAISE EXCEPTION 'unknown setting %', p_key USING ERRCODE = 'no_data_found',
      HINT = 'Known: ' || (SELECT string_agg(s.key, ', ' ORDER BY s.key) FROM fleet.settings s);
  END IF;
  IF p_value NOT BETWEEN v_setting.minimum AND v_setting.maximum THEN
    RAISE EXCEPTION '% must be between % and %, not %', p_key, v_setting.minimum, v_setting.maximum, p_value
      USING ERRCODE = 'check_violation', HINT = v_setting.description;
  END IF;
  IF p_scope NOT IN ('fleet', 'role:generate', 'role:quality')
      AND NOT EXISTS (SELECT FROM fleet.nodes n WHERE 'node:' || n.node = p_scope AND n.removed_at IS NULL) THEN
    RAISE EXCEPTION 'unknown scope %', p_scope USING ERRCODE = 'check_violation',
      HINT = 'Use fleet, role:generate, role:quality, or node: and the name of an enrolled node.';
  END IF;
  UPDATE fleet.config SET valid_to = now() WHERE scope = p_scope AND key = p_key AND valid_to IS NULL;
  INSERT INTO fleet.config (scope, key, value, author, reason)
  VALUES (p_scope, p_key, p_value, p_author, p_reason) RETURNING version INTO v_version;
  PERFORM pg_notify('fleet_settings', v_version::text);
  RETURN v_version;
END $$;
COMMENT ON FUNCTION fleet.set_config(text, text, double precision, text, text) IS
  'Put a new version of a value in force for a scope; returns the version. Errors: unknown key or scope, out of bounds.';

CREATE OR REPLACE FUNCTION fleet.set_fleet_state(p_state text, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_changed boolean;
BEGIN
  IF p_state NOT IN ('running', 'paused') THEN
    RAISE EXCEPTION 'unknown fleet state %', p_state USING ERRCODE = 'check_violation', HINT = 'Use running or paused.';
  END IF;
  UPDATE fleet.state SET state = p_state, changed_at = now(), changed_by = p_by, reason = p_reason
  WHERE state <> p_state;
  v_changed := FOUND;
  IF v_changed THEN
    PERFORM fleet.record_event(gen_random_uuid(), NULL, 'info',
      CASE p_state WHEN 'paused' THEN 'fleet_paused' ELSE 'fleet_resumed' END,
      format(CASE p_state WHEN 'paused' THEN 'The fleet was paused by %s%s' ELSE 'The fleet was resumed by %s%s' END,
        p_by, coalesce(': ' || nullif(p_reason, ''), '.')));
  END IF;
  PERFORM pg_notify('fleet_work', p_state);
  RETURN v_changed;
END $$;
COMMENT ON FUNCTION fleet.set_fleet_state(text, text, text) IS 'running or paused for all nodes; false when it was so already.';

CREATE OR REPLACE FUNCTION fleet.stop_leading(p_master_id uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE fleet.state SET leader_until = NULL, leader_id = NULL WHERE leader_id = p_master_id;
$$;
COMMENT ON FUNCTION fleet.stop_leading(uuid) IS 'A master that ends gives the lease up at once; nothing happens for any other.';

CREATE OR REPLACE FUNCTION fleet.lead(p_master_id uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_epoch bigint;
  v_before uuid;
BEGIN
  UPDATE fleet.state s SET
    leader_epoch = s.leader_epoch + (s.leader_id IS DISTINCT FROM p_master_id)::integer,
    leader_id = p_master_id,
    leader_until = clock_timestamp() + make_interval(secs => fleet.setting('leader_lease_seconds'))
  FROM (SELECT f.leader_id FROM fleet.state f FOR UPDATE) AS before
  WHERE s.leader_id IS NOT DISTINCT FROM p_master_id OR s.leader_until IS NULL OR s.leader_until < clock_timestamp()
  RETURNING s.leader_epoch, before.leader_id INTO v_epoch, v_before;
  IF v_epoch IS NOT NULL AND v_before IS DISTINCT FROM p_master_id THEN
    PERFORM fleet.record_event(gen_random_uuid(), NULL, CASE WHEN v_before IS NULL THEN 'info' ELSE 'warning' END,
      'leader_changed', format('A master leads now (term %s)%s.', v_epoch,
        CASE WHEN v_before IS NOT NULL THEN '; the one before it did not renew its lease'
             WHEN v_epoch > 1 THEN '; the one before it gave the lead up' ELSE '' END));
  END IF;
  RETURN v_epoch;
END $$;
COMMENT ON FUNCTION fleet.lead(uuid) IS 'Take or keep the leader lease; returns the epoch, or NULL while another master leads.';
