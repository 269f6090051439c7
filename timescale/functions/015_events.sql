-- Events: one row for each thing that happened, told by whoever saw it, perhaps long after and more than once.
CREATE OR REPLACE FUNCTION fleet.record_event(
  p_event uuid, p_time timestamptz, p_severity text, p_kind text, p_message text, p_node text DEFAULT NULL
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_message text := btrim(regexp_replace(p_message, '[[:cntrl:][:space:]]+', ' ', 'g'));
BEGIN
  IF p_severity IS NULL OR p_severity NOT IN ('info', 'warning', 'error') THEN
    RAISE EXCEPTION 'unknown severity %', quote_nullable(p_severity)
      USING ERRCODE = 'check_violation', HINT = 'Use info, warning or error.';
  END IF;
  IF p_kind IS NULL OR p_kind !~ '^[a-z][a-z0-9_]{2,39}$' THEN
    RAISE EXCEPTION '% is no kind of event', quote_nullable(left(p_kind, 100))
      USING ERRCODE = 'check_violation', HINT = 'Use 3 to 40 characters of lower-case words, such as program_ended.';
  END IF;
  IF p_event IS NULL OR coalesce(v_message, '') = '' THEN
    RAISE EXCEPTION 'event % of kind % needs an id and a message', quote_nullable(p_event), p_kind
      USING ERRCODE = 'check_violation', HINT = 'Say in one sentence what happened.';
  END IF;
  -- Two who tell the same event at once: the second one finds the first one's row.
  PERFORM pg_advisory_xact_lock(hashtextextended(p_event::text, 0));
  IF EXISTS (SELECT FROM telemetry.events e WHERE e.event_id = p_event) THEN
    RETURN;
  END IF;
  INSERT INTO telemetry.events (event_id, time, node, severity, kind, message)
  VALUES (
    p_event,
    -- A machine's clock may be wrong, a Raspberry Pi's says 1970 before it is set: what is as old as that would be dropped
    -- unseen, so it gets the time at which it is told.
    CASE WHEN p_time > v_now - interval '400 days' THEN least(p_time, v_now) ELSE v_now END,
    CASE WHEN starts_with(session_user, 'fleet_node_') THEN fleet.current_node() ELSE p_node END,
    p_severity, p_kind, left(v_message, 500));
END $$;
COMMENT ON FUNCTION fleet.record_event(uuid, timestamptz, text, text, text, text) IS
  'Tell one event; an id that is known changes nothing. p_time NULL: now. A node tells of itself only, whatever p_node says. The message is one line, cut at 500 characters. Kinds: timescale/README.md.';
