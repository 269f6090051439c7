-- Comments on the views of the rollups, out of those on the tables that they roll up.
DO $$
DECLARE
  v_level telemetry.levels;
  v_unit text;
  v_name text;
  v_view regclass;
  v_column record;
BEGIN
  FOR v_level IN SELECT * FROM telemetry.levels l WHERE l.rollup IS NOT NULL LOOP
    FOREACH v_unit IN ARRAY ARRAY['minute', 'hour'] LOOP
      v_name := v_level.rollup || CASE v_unit WHEN 'minute' THEN '_1m' ELSE '_1h' END;
      v_view := format('analytics.%I', v_name)::regclass;
      EXECUTE format('COMMENT ON VIEW %s IS %L', v_view, format('analytics.%s by the %s, UTC; %s.', v_level.table_name, v_unit,
        CASE v_unit WHEN 'minute' THEN 'a minute is in it within a minute of its end, for 30 days' ELSE 'an hour is in it once it has ended, for good' END));
      EXECUTE format('COMMENT ON COLUMN %s.time IS %L', v_view, format('When the %s begins.', v_unit));
      EXECUTE format('COMMENT ON COLUMN %s.samples IS %L', v_view, format('Rows of analytics.%s in it.', v_level.table_name));
      FOR v_column IN
        -- node and the keys as the table has them
        SELECT k.key AS name, col_description(format('analytics.%I', v_level.table_name)::regclass, a.attnum) AS text
        FROM unnest('{node}' || v_level.keys) AS k(key) JOIN pg_attribute a ON a.attname = k.key
          AND a.attrelid = format('analytics.%I', v_level.table_name)::regclass
        UNION ALL
        SELECT r.reading || s.suffix, s.start || format(' of the %s: ', v_unit) || r.text
        FROM (SELECT t.reading, t.kind, coalesce(t.meaning, (
            SELECT col_description(a.attrelid, a.attnum) FROM pg_attribute a
            WHERE a.attrelid = format('analytics.%I', v_level.table_name)::regclass AND a.attname = t.source)) AS text
          FROM telemetry.readings t WHERE t.table_name = v_level.table_name) r
        JOIN (VALUES ('_avg', 'Average'), ('_min', 'Lowest'), ('_max', 'Highest'), ('', 'Sum')) AS s(suffix, start)
          ON (r.kind = 'sum') = (s.suffix = '')
      LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', v_view, v_column.name, v_column.text);
      END LOOP;
    END LOOP;
  END LOOP;
END $$;

COMMENT ON VIEW analytics.storage IS 'What each level of each table by time takes on disk, now, in a month, and once it is full; measured each hour.';
COMMENT ON COLUMN analytics.storage.table_name IS 'Table, as its views are called.';
COMMENT ON COLUMN analytics.storage.level IS 'raw (rows as they come), minute (_1m) or hour (_1h).';
COMMENT ON COLUMN analytics.storage.keep IS 'How long rows can be read; NULL: for good.';
COMMENT ON COLUMN analytics.storage.bytes IS 'Space on disk now, indexes included, bytes.';
COMMENT ON COLUMN analytics.storage.saved_bytes IS 'What compression saves of the space, bytes; 0 on plain PostgreSQL.';
COMMENT ON COLUMN analytics.storage.rows IS 'Rows on disk, estimated from statistics.';
COMMENT ON COLUMN analytics.storage.days IS 'Age of the oldest row on disk, days.';
COMMENT ON COLUMN analytics.storage.rows_per_day IS 'Rows a day at the rate of the last 24 hours; NULL without any.';
COMMENT ON COLUMN analytics.storage.month_bytes IS 'What 30 days at that rate take, bytes; NULL while there are fewer than 500 rows to tell by.';
COMMENT ON COLUMN analytics.storage.full_bytes IS 'What all that is kept takes at that rate, bytes; NULL where rows are kept for good.';
COMMENT ON COLUMN analytics.storage.next_drop_at IS 'When the oldest rows are removed; NULL where none will be.';
COMMENT ON COLUMN analytics.storage.next_drop_bytes IS 'Space that is free after that, bytes.';
COMMENT ON COLUMN analytics.storage.measured_at IS 'When all this was so.';

COMMENT ON VIEW analytics.quality_1h IS 'What quality said of conversations, by the hour (UTC) in which it did.';
COMMENT ON COLUMN analytics.quality_1h.time IS 'When the hour begins.';
COMMENT ON COLUMN analytics.quality_1h.node IS 'Machine that wrote them.';
COMMENT ON COLUMN analytics.quality_1h.model IS 'Model that wrote them.';
COMMENT ON COLUMN analytics.quality_1h.scenario IS 'What they are about.';
COMMENT ON COLUMN analytics.quality_1h.samples IS 'Conversations that were judged.';
COMMENT ON COLUMN analytics.quality_1h.accepted IS 'Accepted ones.';
COMMENT ON COLUMN analytics.quality_1h.rejected IS 'Rejected ones.';
COMMENT ON COLUMN analytics.quality_1h.healthcare_valid IS 'Those whose healthcare content is right.';
COMMENT ON COLUMN analytics.quality_1h.healthcare_invalid IS 'Those whose healthcare content is not right.';
DO $$
DECLARE
  v_score text;
BEGIN
  FOREACH v_score IN ARRAY ARRAY['realness', 'coherence', 'naturalness'] LOOP
    EXECUTE format('COMMENT ON COLUMN analytics.quality_1h.%I IS %L', v_score || '_avg', format('Average %s, 1 to 10; NULL where no judge looked.', v_score));
    EXECUTE format('COMMENT ON COLUMN analytics.quality_1h.%I IS %L', v_score || '_min', format('Lowest %s, 1 to 10; NULL where no judge looked.', v_score));
    EXECUTE format('COMMENT ON COLUMN analytics.quality_1h.%I IS %L', v_score || '_max', format('Highest %s, 1 to 10; NULL where no judge looked.', v_score));
  END LOOP;
END $$;
