-- Tables by time: what each level holds, to the minute, however coarse the partitions are that rows are removed with.
-- Each view shows all columns of its table but ids that only functions need.
DO $$
DECLARE
  v_level telemetry.levels;
BEGIN
  FOR v_level IN SELECT * FROM telemetry.levels LOOP
    EXECUTE format('CREATE VIEW analytics.%I AS SELECT %s FROM telemetry.%1$I WHERE time > now() - interval %3$L',
      v_level.table_name,
      (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
       WHERE a.attrelid = format('telemetry.%I', v_level.table_name)::regclass AND a.attnum > 0 AND NOT a.attisdropped
         AND a.attname NOT IN ('request_id', 'event_id', 'told_in')),
      v_level.keep);
    IF v_level.rollup IS NOT NULL THEN
      EXECUTE format('CREATE VIEW analytics.%1$I AS SELECT * FROM telemetry.%1$I WHERE time > now() - interval ''30 days''',
        v_level.rollup || '_1m');
      EXECUTE format('CREATE VIEW analytics.%1$I AS SELECT * FROM telemetry.%1$I', v_level.rollup || '_1h');
    END IF;
  END LOOP;
END $$;

CREATE VIEW analytics.storage AS SELECT * FROM telemetry.storage;

CREATE VIEW analytics.quality_1h AS
SELECT date_bin('1 hour', c.judged_at, '2000-01-01 00:00:00+00') AS time, c.node, c.model, c.scenario, count(*) AS samples,
  count(*) FILTER (WHERE c.state = 'accepted') AS accepted, count(*) FILTER (WHERE c.state = 'rejected') AS rejected,
  avg(g.realness) AS realness_avg, min(g.realness) AS realness_min, max(g.realness) AS realness_max,
  avg(g.coherence) AS coherence_avg, min(g.coherence) AS coherence_min, max(g.coherence) AS coherence_max,
  avg(g.naturalness) AS naturalness_avg, min(g.naturalness) AS naturalness_min, max(g.naturalness) AS naturalness_max,
  count(*) FILTER (WHERE g.healthcare_valid) AS healthcare_valid, count(*) FILTER (WHERE NOT g.healthcare_valid) AS healthcare_invalid
FROM fleet.conversations c JOIN fleet.grades g USING (conversation_id)
WHERE c.judged_at IS NOT NULL GROUP BY 1, 2, 3, 4;
