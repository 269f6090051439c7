-- The model of a node: tried at its server by its agent, set only if it answered.
CREATE OR REPLACE FUNCTION fleet.request_model(
  p_node text, p_model text, p_by text, p_reason text, p_version bigint DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_probe uuid;
BEGIN
  PERFORM FROM fleet.nodes n WHERE n.node = p_node AND n.removed_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no node %', left(p_node, 100) USING ERRCODE = 'no_data_found', HINT = 'GET /nodes lists all nodes.';
  ELSIF p_model IS NULL OR p_model !~ '^[!-~]([ -~]{0,198}[!-~])?$' THEN
    RAISE EXCEPTION 'model must have 1 to 200 printable characters, not %', quote_nullable(left(p_model, 100))
      USING ERRCODE = 'check_violation', HINT = 'Name it as the model server does.';
  END IF;
  UPDATE fleet.model_probes SET state = 'refused', finished_at = clock_timestamp(), result = 'overtaken by ' || p_model
  WHERE node = p_node AND state = 'requested';
  INSERT INTO fleet.model_probes (node, model, author, reason, expected_version)
  VALUES (p_node, p_model, p_by, coalesce(p_reason, ''), p_version) RETURNING probe_id INTO v_probe;
  PERFORM pg_notify('fleet_settings', 'model');
  RETURN v_probe;
END $$;
COMMENT ON FUNCTION fleet.request_model(text, text, text, text, bigint) IS
  'Have a node try a model; its agent sets it (llm_model) if its server answers. A newer request overtakes an older one. Errors: no such node, no name.';

CREATE OR REPLACE FUNCTION fleet.open_model_probe() RETURNS TABLE (probe_id uuid, model text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_node text := fleet.current_node();
BEGIN
  UPDATE fleet.model_probes SET state = 'expired', finished_at = clock_timestamp(), result = 'the node did not try it within 10 minutes'
  WHERE node = v_node AND state = 'requested' AND requested_at < clock_timestamp() - interval '10 minutes';
  RETURN QUERY SELECT p.probe_id, p.model FROM fleet.model_probes p WHERE p.node = v_node AND p.state = 'requested';
END $$;
COMMENT ON FUNCTION fleet.open_model_probe() IS 'The model that the calling node is to try now, if any; one that nobody tried for 10 minutes expires.';

CREATE OR REPLACE FUNCTION fleet.finish_model_probe(p_probe uuid, p_error text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_probe fleet.model_probes;
  v_error text := nullif(left(btrim(p_error), 500), '');
  v_version bigint;
BEGIN
  SELECT * INTO v_probe FROM fleet.model_probes p WHERE p.probe_id = p_probe AND p.node = fleet.current_node() FOR UPDATE;
  IF v_probe.probe_id IS NULL THEN
    RAISE EXCEPTION 'this node has no probe %', p_probe USING ERRCODE = 'no_data_found';
  ELSIF v_probe.state <> 'requested' THEN
    RETURN v_probe.state; -- told twice, or overtaken
  END IF;
  IF v_error IS NULL THEN
    BEGIN
      UPDATE fleet.model_probes SET state = 'set', finished_at = clock_timestamp(), result = 'the model server answered with it'
      WHERE probe_id = p_probe;
      v_version := fleet.set_config('node:' || v_probe.node, 'llm_model', to_jsonb(v_probe.model), v_probe.author,
        v_probe.reason, v_probe.expected_version);
    EXCEPTION WHEN object_not_in_prerequisite_state THEN
      v_error := SQLERRM;
    END;
  END IF;
  IF v_error IS NOT NULL THEN
    UPDATE fleet.model_probes SET state = 'refused', finished_at = clock_timestamp(), result = v_error WHERE probe_id = p_probe;
  END IF;
  PERFORM fleet.record_event(p_probe, NULL, CASE WHEN v_error IS NULL THEN 'info' ELSE 'warning' END,
    CASE WHEN v_error IS NULL THEN 'model_set' ELSE 'model_refused' END,
    CASE WHEN v_error IS NULL THEN format('Node %s writes with model %s now, as %s wanted.', v_probe.node, v_probe.model, v_probe.author)
         ELSE format('Node %s keeps its model: %s was tried and refused (%s).', v_probe.node, v_probe.model, rtrim(v_error, '.')) END);
  RETURN CASE WHEN v_error IS NULL THEN 'set' ELSE 'refused' END;
END $$;
COMMENT ON FUNCTION fleet.finish_model_probe(uuid, text) IS
  'The calling node has tried a model: without an error it is set, with one nothing changes. Returns set or refused; an event tells it.';
