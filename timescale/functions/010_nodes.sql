-- Nodes: enrolment, identity of the caller, heartbeats, counters.
CREATE OR REPLACE FUNCTION fleet.enroll_node(
  p_node_id uuid, p_host text, p_roles text[], p_scrape_address text, p_password_verifier text
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_base text := left(ltrim(regexp_replace(lower(split_part(p_host, '.', 1)), '[^a-z0-9-]', '-', 'g'), '-'), 50);
  v_node text;
  v_login name;
  v_number integer := 1;
BEGIN
  IF v_base = '' THEN
    RAISE EXCEPTION 'host name % has no letter or digit to name a node by', quote_literal(p_host)
      USING ERRCODE = 'check_violation', HINT = 'Give the machine a host name.';
  END IF;
  SELECT n.node, n.login INTO v_node, v_login FROM fleet.nodes n WHERE n.node_id = p_node_id;
  IF v_node IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext('fleet.enroll_node'));
    v_node := v_base;
    -- /nodes/join and /nodes/invite are addresses of their own.
    WHILE v_node IN ('join', 'invite') OR EXISTS (SELECT FROM fleet.nodes n WHERE n.node = v_node) LOOP
      v_number := v_number + 1;
      v_node := v_base || '-' || v_number;
    END LOOP;
    v_login := 'fleet_node_' || v_node;
    INSERT INTO fleet.nodes (node, node_id, login, roles, scrape_address)
    VALUES (v_node, p_node_id, v_login, p_roles, p_scrape_address);
  ELSE
    UPDATE fleet.nodes n SET roles = p_roles, scrape_address = p_scrape_address, removed_at = NULL
    WHERE n.node = v_node;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_login) THEN
    EXECUTE format('CREATE ROLE %I LOGIN', v_login);
  END IF;
  EXECUTE format('GRANT fleet_exporter, fleet_worker TO %I', v_login); -- taken back by remove_node
  EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', v_login, p_password_verifier);
  RETURN v_node;
END $$;
COMMENT ON FUNCTION fleet.enroll_node(uuid, text, text[], text, text) IS
  'Take a machine in, or renew it: name from the host, -2 on a clash, its own login; returns the name. p_password_verifier is SCRAM, never clear text.';

CREATE OR REPLACE FUNCTION fleet.current_node() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text;
BEGIN
  SELECT n.node INTO v_node FROM fleet.nodes n WHERE n.login = session_user AND n.removed_at IS NULL;
  IF v_node IS NULL THEN
    RAISE EXCEPTION 'login % belongs to no enrolled node', session_user
      USING ERRCODE = 'insufficient_privilege', HINT = 'Enrol the node again.';
  END IF;
  RETURN v_node;
END $$;
COMMENT ON FUNCTION fleet.current_node() IS 'The node whose login calls; an error for anybody else.';

CREATE OR REPLACE FUNCTION fleet.heartbeat(
  p_agent_version text, p_worker_state text, p_settings_version bigint
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
BEGIN
  -- Nobody waits for the disk: the next one follows in seconds.
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE fleet.nodes n SET last_heartbeat_at = clock_timestamp(), agent_version = p_agent_version,
    worker_state = p_worker_state, settings_version = p_settings_version,
    -- A card that is lost for a while says nothing of its memory.
    vram_bytes = coalesce((SELECT max(g.memory_total_bytes) FROM telemetry.gpu g
      WHERE g.node = v_node AND g.time BETWEEN now() - interval '1 minute' AND now() + interval '10 seconds'), n.vram_bytes)
  WHERE n.node = v_node;
END $$;
COMMENT ON FUNCTION fleet.heartbeat(text, text, bigint) IS 'The node agent says that it lives, what its worker does and which settings it runs; notes its largest GPU. A transaction of its own: it is not waited for on disk.';

CREATE OR REPLACE FUNCTION fleet.set_node_class(p_node text, p_class text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_class !~ '^[a-z0-9][a-z0-9_-]{0,39}$' THEN
    RAISE EXCEPTION '% is no class of machines', quote_literal(left(p_class, 100)) USING ERRCODE = 'check_violation',
      HINT = 'Use up to 40 lower-case letters, digits, - and _, such as gaming-pc; NULL goes back to gpu or cpu.';
  END IF;
  UPDATE fleet.nodes n SET given_class = p_class WHERE n.node = p_node AND n.removed_at IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no node %', p_node USING ERRCODE = 'no_data_found', HINT = 'See analytics.nodes.';
  END IF;
  PERFORM pg_notify('fleet_work', 'class');
END $$;
COMMENT ON FUNCTION fleet.set_node_class(text, text) IS
  'Say what kind of machine it is, for jobs that are for one kind; NULL: gpu or cpu, by what it has. Errors: no such node, no class.';

CREATE OR REPLACE FUNCTION fleet.bump_counter(
  p_node text, p_name text, p_labels jsonb, p_by double precision
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO fleet.node_counters AS c (node, name, labels, value) VALUES (p_node, p_name, p_labels, p_by)
  ON CONFLICT (node, name, labels) DO UPDATE SET value = c.value + excluded.value;
$$;
COMMENT ON FUNCTION fleet.bump_counter(text, text, jsonb, double precision) IS 'Add to a counter of a node; called beside the row that is counted.';

CREATE OR REPLACE FUNCTION fleet.bump_histogram(
  p_node text, p_name text, p_labels jsonb, p_value double precision
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO fleet.node_counters AS c (node, name, labels, value)
  SELECT p_node, p_name || '_bucket', p_labels || jsonb_build_object('le', b.le),
    (p_value <= replace(b.le, '+Inf', 'Infinity')::double precision)::integer
  FROM unnest(ARRAY['0.1', '0.25', '0.5', '1', '2.5', '5', '10', '20', '40', '80', '160', '+Inf']) AS b(le)
  UNION ALL SELECT p_node, p_name || '_sum', p_labels, p_value
  UNION ALL SELECT p_node, p_name || '_count', p_labels, 1
  ON CONFLICT (node, name, labels) DO UPDATE SET value = c.value + excluded.value;
END $$;
COMMENT ON FUNCTION fleet.bump_histogram(text, text, jsonb, double precision) IS
  'Count one observation into the cumulative buckets, sum and count of a Prometheus histogram (seconds).';

CREATE OR REPLACE FUNCTION fleet.prompt_length(p_tokens bigint) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN p_tokens IS NULL THEN 'unknown' WHEN p_tokens < 512 THEN '0-511' WHEN p_tokens < 2048 THEN '512-2047'
    WHEN p_tokens < 8192 THEN '2048-8191' ELSE '8192+' END;
$$;
COMMENT ON FUNCTION fleet.prompt_length(bigint) IS
  'How long a prompt is, as a label of counters: tokens a second fall with it, so only calls of one length are compared.';

CREATE OR REPLACE FUNCTION fleet.read_counters() RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.name, c.labels, c.value FROM fleet.node_counters c
  WHERE c.node = fleet.current_node() ORDER BY c.name, c.labels;
$$;
COMMENT ON FUNCTION fleet.read_counters() IS 'All counters of the calling node, as they stand after the last commit.';
