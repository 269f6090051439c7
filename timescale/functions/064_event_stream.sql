-- Events in an order in which a reader who remembers the last one misses none and sees none twice.
CREATE OR REPLACE FUNCTION control.event_horizon() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
$$;
COMMENT ON FUNCTION control.event_horizon() IS 'The transaction before which all have ended: a place in the stream of events after all that were told so far.';

CREATE OR REPLACE FUNCTION control.read_events(p_told_in bigint, p_event uuid, p_limit integer)
RETURNS TABLE (told_in bigint, event_id uuid, "time" timestamptz, node text, severity text, kind text, message text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  -- What is told in a transaction that still runs may become visible after what is told in a later one: nothing beyond
  -- the oldest running transaction is read yet.
  SELECT e.told_in, e.event_id, e.time, e.node, e.severity, e.kind, e.message FROM telemetry.events e
  WHERE (e.told_in, e.event_id) > (p_told_in, p_event) AND e.told_in < control.event_horizon()
  ORDER BY e.told_in, e.event_id LIMIT p_limit;
$$;
COMMENT ON FUNCTION control.read_events(bigint, uuid, integer) IS
  'Events after the one that was read last, in the order of their telling. They are held back while an older transaction still writes.';
