-- How each machine stands: two witnesses (its agent and its exporter), and the times at which it is off on purpose.
CREATE OR REPLACE FUNCTION fleet.is_within(p_local timestamp, p_weekdays integer[], p_from time, p_to time) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN p_from < p_to
    THEN date_part('isodow', p_local)::integer = ANY (p_weekdays) AND p_local::time >= p_from AND p_local::time < p_to
    -- Over midnight: it began today, or yesterday.
    ELSE date_part('isodow', p_local)::integer = ANY (p_weekdays) AND p_local::time >= p_from
      OR date_part('isodow', p_local - interval '1 day')::integer = ANY (p_weekdays) AND p_local::time < p_to END;
$$;
COMMENT ON FUNCTION fleet.is_within(timestamp, integer[], time, time) IS
  'Whether a local time is within one that begins on these weekdays (1 is Monday) and ends at p_to, on the next day where that is not later.';

CREATE OR REPLACE FUNCTION fleet.apply_calendars(p_time timestamptz DEFAULT clock_timestamp()) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE fleet.nodes n SET is_off = NOT n.is_off WHERE n.is_off <> EXISTS (
    SELECT FROM fleet.node_calendar c WHERE c.node = n.node
      AND fleet.is_within(p_time AT TIME ZONE c.time_zone, c.weekdays, c.off_from, c.off_to));
$$;
COMMENT ON FUNCTION fleet.apply_calendars(timestamptz) IS 'Note which machines are off at a time by their calendars. The master does it each round.';

CREATE OR REPLACE FUNCTION fleet.set_node_calendar(p_node text, p_times jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_zone text;
BEGIN
  PERFORM FROM fleet.nodes n WHERE n.node = p_node AND n.removed_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no node %', p_node USING ERRCODE = 'no_data_found', HINT = 'See analytics.nodes.';
  END IF;
  FOR v_zone IN SELECT t.value ->> 'time_zone' FROM jsonb_array_elements(p_times) t LOOP
    -- PostgreSQL would take any three letters with a number for a zone.
    IF v_zone !~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$' THEN
      RAISE EXCEPTION 'unknown time zone %', quote_literal(left(v_zone, 100)) USING ERRCODE = 'check_violation',
        HINT = 'Use a name such as Europe/Berlin or UTC.';
    END IF;
    BEGIN
      PERFORM now() AT TIME ZONE v_zone;
    EXCEPTION WHEN invalid_parameter_value THEN
      RAISE EXCEPTION 'unknown time zone %', quote_literal(left(v_zone, 100)) USING ERRCODE = 'check_violation',
        HINT = 'Use a name such as Europe/Berlin or UTC.';
    END;
  END LOOP;
  DELETE FROM fleet.node_calendar c WHERE c.node = p_node;
  INSERT INTO fleet.node_calendar (node, position, weekdays, off_from, off_to, time_zone)
  SELECT p_node, t.position, ARRAY(SELECT DISTINCT d::integer FROM jsonb_array_elements_text(t.value -> 'weekdays') d ORDER BY 1),
    (t.value ->> 'off_from')::time, (t.value ->> 'off_to')::time, t.value ->> 'time_zone'
  FROM jsonb_array_elements(p_times) WITH ORDINALITY AS t(value, position);
  PERFORM fleet.apply_calendars();
END $$;
COMMENT ON FUNCTION fleet.set_node_calendar(text, jsonb) IS
  'Replace the times at which a machine is off on purpose: a list of {weekdays, off_from, off_to, time_zone}, empty for none. Errors: no such node, unknown time zone, no weekday.';

DROP VIEW IF EXISTS fleet.node_pace, fleet.node_standing;
CREATE VIEW fleet.node_standing AS
SELECT n.node,
  CASE WHEN a.is_fresh THEN 'online'
       WHEN n.last_heartbeat_at > now() - interval '120 seconds' OR h.time IS NOT NULL THEN 'stale'
       ELSE 'offline' END AS state,
  nullif(concat_ws(' and ', CASE WHEN NOT a.is_fresh THEN 'agent' END,
    CASE WHEN h.time IS NULL OR h.time <= now() - interval '30 seconds' THEN 'exporter' END), '') AS silent,
  n.is_expected AND NOT n.is_off AS is_expected,
  CASE WHEN h.time > now() - interval '1 minute' THEN h.mode END AS mode
FROM fleet.nodes n
CROSS JOIN LATERAL (SELECT coalesce(n.last_heartbeat_at > now() - interval '30 seconds', false) AS is_fresh) a
LEFT JOIN LATERAL (
  SELECT t.time, t.mode FROM telemetry.hardware t
  WHERE t.node = n.node AND t.time BETWEEN now() - interval '120 seconds' AND now() + interval '10 seconds'
  ORDER BY t.time DESC LIMIT 1) h ON true
WHERE n.removed_at IS NULL;
COMMENT ON VIEW fleet.node_standing IS 'Each machine by its two witnesses: heartbeats of its agent, readings of its exporter.';

CREATE OR REPLACE FUNCTION fleet.watch_nodes() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node record;
  v_changed integer := 0;
BEGIN
  PERFORM fleet.apply_calendars();
  FOR v_node IN
    SELECT s.*, n.noted_state FROM fleet.node_standing s JOIN fleet.nodes n USING (node)
    WHERE n.noted_state IS DISTINCT FROM s.state ORDER BY s.node
  LOOP
    UPDATE fleet.nodes n SET noted_state = v_node.state, noted_at = clock_timestamp() WHERE n.node = v_node.node;
    -- One that was never heard of is not missed yet.
    CONTINUE WHEN v_node.noted_state IS NULL AND v_node.state <> 'online';
    v_changed := v_changed + 1;
    PERFORM fleet.record_event(gen_random_uuid(), NULL,
      CASE WHEN v_node.state = 'online' OR NOT v_node.is_expected THEN 'info' ELSE 'warning' END, 'node_' || v_node.state,
      format('%s is %s%s%s.', v_node.node, v_node.state, ': ' || v_node.silent || CASE v_node.silent
        WHEN 'agent and exporter' THEN ' are silent' ELSE ' is silent' END,
        CASE WHEN NOT v_node.is_expected THEN ', and it is off on purpose now' END), v_node.node);
  END LOOP;
  RETURN v_changed;
END $$;
COMMENT ON FUNCTION fleet.watch_nodes() IS 'Note which machines are off by their calendars; tell each that has become online, stale or offline as an event; returns how many.';

CREATE VIEW fleet.node_pace AS
WITH written AS (
  SELECT t.node, t.claimed_at, t.finished_at, t.finished_at - t.claimed_at AS took,
    lead(t.claimed_at) OVER (PARTITION BY t.node ORDER BY t.claimed_at) AS next_at
  FROM (
    SELECT l.node, least(l.claimed_at, l.finished_at) AS claimed_at, l.finished_at FROM fleet.tasks l
    WHERE l.finished_at > now() - interval '1 hour' AND l.state IN ('done', 'failed') ORDER BY l.finished_at DESC LIMIT 2000) t
), busy AS (
  -- A rest between two tasks, for heat or by order, counts as work; a long gap was a game, a night, or an empty queue.
  SELECT w.node, count(*) AS finished, range_agg(tstzrange(w.claimed_at,
      CASE WHEN w.next_at < w.finished_at + 5 * w.took THEN greatest(w.finished_at, w.next_at) ELSE w.finished_at END)) AS times,
    coalesce(stddev_samp(extract(epoch FROM w.took)) / nullif(avg(extract(epoch FROM w.took)), 0), 1)::double precision AS variation
  FROM written w GROUP BY w.node
)
SELECT b.node, b.finished, b.variation,
  (SELECT greatest(sum(extract(epoch FROM upper(r) - lower(r))), 0.001)::double precision FROM unnest(b.times) r) / b.finished AS seconds
FROM busy b JOIN fleet.node_standing s USING (node) JOIN fleet.nodes n USING (node)
WHERE s.state = 'online' AND s.mode IS DISTINCT FROM 'gaming' AND n.worker_state IN ('running', 'restarting')
  AND n.llm_circuit_opened_at IS NULL;
COMMENT ON VIEW fleet.node_pace IS
  'Machines that write now: what each finished in the last hour, the seconds of work that one took it, and how much that varied (standard deviation by mean).';
