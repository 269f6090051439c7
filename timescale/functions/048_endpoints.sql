-- What a worker sees of its model server.
CREATE OR REPLACE FUNCTION fleet.report_endpoint(
  p_kind text, p_model text, p_state text, p_slots integer, p_context_tokens integer, p_models text[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
  v_before text;
BEGIN
  SELECT e.state INTO v_before FROM fleet.endpoints e WHERE e.node = v_node FOR UPDATE;
  INSERT INTO fleet.endpoints AS e (node, kind, model, state, slots, context_tokens, models)
  VALUES (v_node, p_kind, p_model, p_state, p_slots, p_context_tokens, p_models[1:100])
  ON CONFLICT (node) DO UPDATE SET kind = excluded.kind, model = excluded.model, state = excluded.state,
    slots = excluded.slots, context_tokens = excluded.context_tokens, models = excluded.models,
    changed_at = CASE WHEN e.state = excluded.state THEN e.changed_at ELSE excluded.changed_at END,
    checked_at = excluded.checked_at;
  IF p_state = 'no_model' AND v_before IS DISTINCT FROM p_state THEN
    PERFORM fleet.record_event(gen_random_uuid(), NULL, 'error', 'llm_no_model',
      format('The model server does not have %s; it has %s.', p_model, coalesce(nullif(array_to_string(p_models[1:5], ', '), ''), 'none')));
  END IF;
END $$;
COMMENT ON FUNCTION fleet.report_endpoint(text, text, text, integer, integer, text[]) IS
  'What the calling node''s worker sees of its model server; a model that is not there is an event.';

CREATE OR REPLACE FUNCTION fleet.is_paused() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.state <> 'running' FROM fleet.state s;
$$;
COMMENT ON FUNCTION fleet.is_paused() IS 'Whether people have paused the fleet: then no model server is asked for anything.';
