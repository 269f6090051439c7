-- TimescaleDB: hypertables, compressed once they are hours old; continuous aggregates; policies that its own workers run.
-- What is refreshed is always held by the level below, so that no history is ever counted anew from nothing.
CREATE OR REPLACE FUNCTION telemetry.make_hypertable(p_level telemetry.levels) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_table regclass := format('telemetry.%I', p_level.table_name)::regclass;
BEGIN
  PERFORM public.create_hypertable(v_table, public.by_range('time',
      CASE WHEN p_level.keep < interval '2 days' THEN interval '2 hours' ELSE make_interval(days => p_level.partition_days) END),
    migrate_data => true, create_default_indexes => false);
  IF p_level.rollup IS NOT NULL THEN
    EXECUTE format('ALTER TABLE %s SET (timescaledb.enable_columnstore, timescaledb.segmentby = %L, timescaledb.orderby = ''time DESC'')',
      v_table, array_to_string('{node}' || p_level.keys, ', '));
  END IF;
END $$;
COMMENT ON FUNCTION telemetry.make_hypertable(telemetry.levels) IS 'Turn a plain table into a hypertable; its rows move into chunks.';

CREATE OR REPLACE FUNCTION telemetry.make_rollups(p_table text, p_rollup text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_keys text := telemetry.key_columns(p_table);
  v_start constant text := 'CREATE MATERIALIZED VIEW telemetry.%I WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS ';
  v_end constant text := 'GROUP BY 1%s WITH NO DATA';
BEGIN
  EXECUTE format(v_start || 'SELECT public.time_bucket(interval ''1 minute'', time) AS time%s, %s FROM telemetry.%I ' || v_end,
    p_rollup || '_1m', v_keys, telemetry.minute_columns(p_table), p_table, v_keys);
  EXECUTE format(v_start || 'SELECT public.time_bucket(interval ''1 hour'', time) AS time%s, %s FROM telemetry.%I ' || v_end,
    p_rollup || '_1h', v_keys, telemetry.hour_columns(p_table), p_rollup || '_1m', v_keys);
  EXECUTE format('COMMENT ON VIEW telemetry.%I IS %L', p_rollup || '_1m', format('telemetry.%s by the minute.', p_table));
  EXECUTE format('COMMENT ON VIEW telemetry.%I IS %L', p_rollup || '_1h', format('telemetry.%s by the hour.', p_table));
END $$;
COMMENT ON FUNCTION telemetry.make_rollups(text, text) IS 'Make the continuous aggregates of a table, empty and without policies.';

CREATE OR REPLACE FUNCTION telemetry.add_policies(p_level telemetry.levels) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_table regclass := format('telemetry.%I', p_level.table_name)::regclass;
  v_rollup record;
BEGIN
  PERFORM public.add_retention_policy(v_table, p_level.keep, if_not_exists => true, schedule_interval => interval '1 hour');
  IF p_level.rollup IS NULL THEN
    RETURN;
  END IF;
  CALL public.add_columnstore_policy(v_table, after => CASE WHEN p_level.keep < interval '2 days' THEN interval '2 hours' ELSE interval '2 days' END,
    if_not_exists => true, schedule_interval => interval '30 minutes');
  FOR v_rollup IN
    SELECT format('telemetry.%I', p_level.rollup || r.suffix)::regclass AS name, r.*
    FROM (VALUES
      -- A row that is late by 22 hours is still held; so are the minutes of its hour.
      ('_1m', interval '22 hours', interval '1 day'),
      ('_1h', interval '26 hours', interval '30 days')) AS r(suffix, start_offset, chunk)
  LOOP
    PERFORM public.set_chunk_time_interval(v_rollup.name, v_rollup.chunk);
    PERFORM public.add_continuous_aggregate_policy(v_rollup.name, start_offset => v_rollup.start_offset, end_offset => interval '0',
      schedule_interval => interval '30 seconds', if_not_exists => true);
    EXECUTE format('ALTER MATERIALIZED VIEW %s SET (timescaledb.enable_columnstore, timescaledb.segmentby = %L, timescaledb.orderby = ''time DESC'')',
      v_rollup.name, array_to_string('{node}' || p_level.keys, ', '));
    CALL public.add_columnstore_policy(v_rollup.name, after => interval '2 days', if_not_exists => true);
  END LOOP;
  PERFORM public.add_retention_policy(format('telemetry.%I', p_level.rollup || '_1m')::regclass, interval '30 days',
    if_not_exists => true, schedule_interval => interval '1 hour');
END $$;
COMMENT ON FUNCTION telemetry.add_policies(telemetry.levels) IS 'From now on refresh, compress and drop on schedule.';

CREATE OR REPLACE FUNCTION telemetry.upkeep(p_now timestamptz DEFAULT clock_timestamp()) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT 0;
$$;
COMMENT ON FUNCTION telemetry.upkeep(timestamptz) IS 'Nothing to do: the workers of TimescaleDB keep the levels. The master calls it on either engine.';

CREATE OR REPLACE FUNCTION telemetry.parts(p_name text)
RETURNS TABLE (part regclass, starts_at timestamptz, ends_at timestamptz, bytes bigint, uncompressed_bytes bigint, rows bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH hypertable AS (
    SELECT coalesce(max(a.materialization_hypertable_schema), 'telemetry') AS schema,
      coalesce(max(a.materialization_hypertable_name), p_name) AS name
    FROM timescaledb_information.continuous_aggregates a WHERE a.view_schema = 'telemetry' AND a.view_name = p_name
  )
  SELECT r.part, c.range_start, c.range_end, d.total_bytes,
    d.total_bytes + coalesce(s.before_compression_total_bytes - s.after_compression_total_bytes, 0),
    CASE WHEN c.is_compressed THEN k.numrows_pre_compression
         ELSE telemetry.estimate_rows(r.part) END
  FROM hypertable h
  JOIN timescaledb_information.chunks c ON c.hypertable_schema = h.schema AND c.hypertable_name = h.name
  CROSS JOIN LATERAL (SELECT format('%I.%I', c.chunk_schema, c.chunk_name)::regclass) r(part)
  JOIN public.chunks_detailed_size(format('%I.%I', h.schema, h.name)::regclass) d USING (chunk_schema, chunk_name)
  LEFT JOIN public.chunk_compression_stats(format('%I.%I', h.schema, h.name)::regclass) s USING (chunk_schema, chunk_name)
  LEFT JOIN _timescaledb_catalog.chunk i ON i.schema_name = c.chunk_schema AND i.table_name = c.chunk_name
  LEFT JOIN _timescaledb_catalog.compression_chunk_size k ON k.chunk_id = i.id;
$$;
COMMENT ON FUNCTION telemetry.parts(text) IS
  'What a table of telemetry lies in: the times between which its rows are, bytes as they are and without compression, and rows.';

CREATE OR REPLACE PROCEDURE telemetry.fill_levels(p_table text, p_from timestamptz, p_to timestamptz) LANGUAGE plpgsql AS $$
DECLARE
  v_rollup text := (SELECT l.rollup FROM telemetry.levels l WHERE l.table_name = p_table);
  v_to timestamptz := least(p_to, pg_catalog.clock_timestamp()); -- minutes and hours that have ended
BEGIN
  CALL public.refresh_continuous_aggregate(pg_catalog.format('telemetry.%I', v_rollup || '_1m')::regclass, p_from, v_to);
  COMMIT; -- hours look for what has changed below them in what is committed
  CALL public.refresh_continuous_aggregate(pg_catalog.format('telemetry.%I', v_rollup || '_1h')::regclass, p_from, v_to);
END $$;
COMMENT ON PROCEDURE telemetry.fill_levels(text, timestamptz, timestamptz) IS
  'Fold all rows of a table between two times, however old: for what was brought in whole, since minutes that have lost rows would be counted anew.';

CREATE OR REPLACE PROCEDURE telemetry.complete_levels() LANGUAGE plpgsql AS $$
DECLARE
  v_level telemetry.levels;
BEGIN
  FOR v_level IN SELECT * FROM telemetry.levels l WHERE l.filled_at IS NULL LOOP
    IF v_level.rollup IS NOT NULL THEN
      CALL telemetry.fill_levels(v_level.table_name, NULL, NULL);
    END IF;
    -- Only now may rows be dropped.
    PERFORM telemetry.add_policies(v_level);
    UPDATE telemetry.levels SET filled_at = pg_catalog.clock_timestamp() WHERE table_name = v_level.table_name;
    COMMIT;
  END LOOP;
END $$;
COMMENT ON PROCEDURE telemetry.complete_levels() IS 'Roll up the rows that were there before their table had rollups, then begin with the policies; nothing where that is done.';

DO $$
DECLARE
  v_level telemetry.levels;
BEGIN
  FOR v_level IN SELECT * FROM telemetry.levels ORDER BY table_name LOOP
    IF NOT EXISTS (SELECT FROM timescaledb_information.hypertables h
                   WHERE h.hypertable_schema = 'telemetry' AND h.hypertable_name = v_level.table_name) THEN
      PERFORM telemetry.make_hypertable(v_level);
      IF v_level.rollup IS NOT NULL THEN
        PERFORM telemetry.make_rollups(v_level.table_name, v_level.rollup);
      END IF;
    END IF;
  END LOOP;
END $$;
