-- Levels: rows by time become minutes, minutes become hours. What both engines share: the SQL of the rollups.
CREATE OR REPLACE FUNCTION telemetry.read_rate(p_counts point[]) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_count point;
  v_before point;
  v_seconds double precision;
  v_rate double precision;
  v_all_seconds double precision := 0;
  v_rise double precision := 0;
  v_lowest double precision;
  v_highest double precision;
BEGIN
  FOREACH v_count IN ARRAY p_counts LOOP
    CONTINUE WHEN v_count IS NULL;
    v_seconds := v_count[0] - v_before[0];
    -- Where it falls it began again at 0 some time between: what happened there nobody knows, and no rate is told.
    IF v_seconds > 0 AND v_count[1] >= v_before[1] THEN
      v_rate := (v_count[1] - v_before[1]) / v_seconds;
      v_rise := v_rise + v_count[1] - v_before[1];
      v_all_seconds := v_all_seconds + v_seconds;
      v_lowest := least(v_lowest, v_rate);
      v_highest := greatest(v_highest, v_rate);
    END IF;
    v_before := v_count;
  END LOOP;
  RETURN CASE WHEN v_all_seconds > 0 THEN ARRAY[v_rise / v_all_seconds, v_lowest, v_highest] END;
END $$;
COMMENT ON FUNCTION telemetry.read_rate(point[]) IS 'Last step of telemetry.counter_rate.';

CREATE OR REPLACE AGGREGATE telemetry.counter_rate(point) (
  SFUNC = array_append, STYPE = point[], FINALFUNC = telemetry.read_rate, PARALLEL = SAFE
);
COMMENT ON AGGREGATE telemetry.counter_rate(point) IS
  'Rate of a counter, by the second: average, lowest, highest. Takes points (seconds, count) in the order of time; a fall is a restart.';

CREATE OR REPLACE FUNCTION telemetry.minute_columns(p_table text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT 'count(*) AS samples, ' || string_agg(CASE r.kind
    WHEN 'gauge' THEN format(
      'avg(%1$s)::double precision AS %2$I, min(%1$s) AS %3$I, max(%1$s) AS %4$I',
      r.source, r.reading || '_avg', r.reading || '_min', r.reading || '_max')
    WHEN 'counter' THEN format(
      '(%1$s)[1] AS %2$I, (%1$s)[2] AS %3$I, (%1$s)[3] AS %4$I',
      format('telemetry.counter_rate(point(date_part(''epoch'', time - ''2000-01-01 00:00:00+00''::timestamptz), %s) ORDER BY time)', r.source),
      r.reading || '_avg', r.reading || '_min', r.reading || '_max')
    ELSE format('sum(%s)::bigint AS %I', r.source, r.reading) END, ', ' ORDER BY r.position)
  FROM telemetry.readings r WHERE r.table_name = p_table;
$$;
COMMENT ON FUNCTION telemetry.minute_columns(text) IS 'SELECT list that makes a minute out of the rows of a table.';

CREATE OR REPLACE FUNCTION telemetry.hour_columns(p_table text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT 'sum(samples)::bigint AS samples, ' || string_agg(CASE WHEN r.kind = 'sum'
    THEN format('sum(%1$I)::bigint AS %1$I', r.reading)
    ELSE format('sum(%1$I * samples) / sum(samples) FILTER (WHERE %1$I IS NOT NULL) AS %1$I, min(%2$I) AS %2$I, max(%3$I) AS %3$I',
      r.reading || '_avg', r.reading || '_min', r.reading || '_max') END, ', ' ORDER BY r.position)
  FROM telemetry.readings r WHERE r.table_name = p_table;
$$;
COMMENT ON FUNCTION telemetry.hour_columns(text) IS
  'SELECT list that makes an hour out of minutes: averages weigh by samples, over the minutes that have one.';

CREATE OR REPLACE FUNCTION telemetry.key_columns(p_table text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT string_agg(', ' || quote_ident(k.key), '' ORDER BY k.place)
  FROM telemetry.levels l, unnest('{node}' || l.keys) WITH ORDINALITY AS k(key, place) WHERE l.table_name = p_table;
$$;
COMMENT ON FUNCTION telemetry.key_columns(text) IS 'What a rollup is grouped by beside time, each with a comma before it.';

CREATE OR REPLACE FUNCTION telemetry.estimate_rows(p_relation regclass) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_rows bigint;
BEGIN
  SELECT c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::integer) INTO v_rows
  FROM pg_class c
  -- Statistics of a few pages, taken while the first of them was filling, say little of what came later.
  WHERE c.oid = p_relation AND c.reltuples >= 0 AND c.relpages >= 100;
  IF v_rows IS NULL THEN
    EXECUTE format('SELECT count(*) FROM %s', p_relation) INTO v_rows;
  END IF;
  RETURN v_rows;
END $$;
COMMENT ON FUNCTION telemetry.estimate_rows(regclass) IS
  'Rows of a table by its statistics and its size now; counted where those are of less than 100 pages or there are none.';
