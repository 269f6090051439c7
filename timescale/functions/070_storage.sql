-- What each level takes, and will take: `fleet db size` measures it, analytics.storage shows what was measured last.
CREATE OR REPLACE FUNCTION telemetry.daily_rows(p_name text) RETURNS double precision
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_level telemetry.levels;
  v_name text := p_name;
  v_count text := 'count(*)';
  v_rows double precision;
BEGIN
  SELECT * INTO v_level FROM telemetry.levels l WHERE l.table_name = p_name AND l.rollup IS NOT NULL;
  IF FOUND THEN
    -- Its minutes know how many rows there were, and are far fewer.
    v_name := v_level.rollup || '_1m';
    v_count := 'sum(samples)';
  END IF;
  -- A fleet that is younger than a day: as if it went on as in the time that it has.
  EXECUTE format('SELECT %s / greatest(extract(epoch FROM least(interval ''1 day'', now() - min(time))) / 86400, 1.0 / 24) '
    'FROM telemetry.%I WHERE time > now() - interval ''1 day'' AND time <= now()', v_count, v_name) INTO v_rows;
  RETURN v_rows;
END $$;
COMMENT ON FUNCTION telemetry.daily_rows(text) IS 'Rows a day at the rate of the last 24 hours; NULL without any.';

CREATE OR REPLACE FUNCTION telemetry.oldest_row(p_part regclass, p_starts_at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_time timestamptz;
BEGIN
  -- Most begin with rows of their first hour: the rest of them, millions perhaps, is not read then.
  EXECUTE format('SELECT coalesce((SELECT min(time) FROM %1$s WHERE time < $1), (SELECT min(time) FROM %1$s))', p_part)
  INTO v_time USING p_starts_at + interval '1 hour';
  RETURN v_time;
END $$;
COMMENT ON FUNCTION telemetry.oldest_row(regclass, timestamptz) IS 'The time of the oldest row of a partition or chunk, which begins at the second argument or anywhere (NULL).';

CREATE OR REPLACE FUNCTION telemetry.measure_storage() RETURNS TABLE (
  table_name text, level text, keep interval, bytes bigint, saved_bytes bigint, rows bigint, days double precision,
  rows_per_day double precision, month_bytes bigint, full_bytes bigint, next_drop_at timestamptz, next_drop_bytes bigint
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH tables AS (
    SELECT l.table_name, 'raw' AS level, l.keep, l.table_name AS name FROM telemetry.levels l
    UNION ALL SELECT l.rollup, 'minute', interval '30 days', l.rollup || '_1m' FROM telemetry.levels l WHERE l.rollup IS NOT NULL
    UNION ALL SELECT l.rollup, 'hour', NULL, l.rollup || '_1h' FROM telemetry.levels l WHERE l.rollup IS NOT NULL
  ), parts AS MATERIALIZED (
    -- Those without a beginning may hold the oldest row as well.
    SELECT t.name, p.*, p.starts_at IS NULL OR p.starts_at = min(p.starts_at) FILTER (WHERE p.rows > 0) OVER (PARTITION BY t.name) AS is_first
    FROM tables t, telemetry.parts(t.name) p
  ), sizes AS (
    SELECT p.name, sum(p.bytes)::bigint AS bytes, sum(p.uncompressed_bytes - p.bytes)::bigint AS saved_bytes, sum(p.rows)::bigint AS rows,
      -- What an empty table takes would be taken for that of its first rows.
      CASE WHEN sum(p.rows) >= 500 THEN (sum(p.bytes) FILTER (WHERE p.rows > 0))::double precision / sum(p.rows)::double precision END AS row_bytes,
      min(telemetry.oldest_row(p.part, p.starts_at)) FILTER (WHERE p.rows > 0 AND p.is_first) AS oldest_at
    FROM parts p GROUP BY p.name
  )
  SELECT t.table_name, t.level, t.keep, coalesce(s.bytes, 0), coalesce(s.saved_bytes, 0), coalesce(s.rows, 0),
    extract(epoch FROM now() - s.oldest_at)::double precision / 86400, r.a_day,
    (s.row_bytes * r.a_day * 30)::bigint, (s.row_bytes * r.a_day * extract(epoch FROM t.keep) / 86400)::bigint,
    d.ends_at + t.keep, d.bytes
  FROM tables t LEFT JOIN sizes s USING (name)
  CROSS JOIN LATERAL telemetry.daily_rows(t.name) AS r(a_day)
  LEFT JOIN LATERAL (
    SELECT p.ends_at, p.bytes FROM parts p WHERE p.name = t.name AND p.rows > 0 AND p.ends_at IS NOT NULL AND t.keep IS NOT NULL
    ORDER BY p.ends_at LIMIT 1) d ON true;
$$;
COMMENT ON FUNCTION telemetry.measure_storage() IS 'What each table and level takes now, each month, and when full; see analytics.storage.';

CREATE OR REPLACE FUNCTION telemetry.note_storage(p_after interval DEFAULT '1 hour') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM telemetry.storage s WHERE s.measured_at > clock_timestamp() - p_after) THEN
    RETURN;
  END IF;
  DELETE FROM telemetry.storage;
  INSERT INTO telemetry.storage SELECT m.*, clock_timestamp() FROM telemetry.measure_storage() m;
END $$;
COMMENT ON FUNCTION telemetry.note_storage(interval) IS 'Measure what the levels take, unless that was done not long ago. Called by the master.';
