-- analytics is made anew at each change, before anything that its views read is touched: views hold no data.
-- All in one statement: a view of somebody else's that builds on ours stops it, and is named.
CREATE SCHEMA IF NOT EXISTS analytics;
COMMENT ON SCHEMA analytics IS 'Documented views; raw transcripts, secrets and source addresses are not in it.';
DO $$ BEGIN
  EXECUTE (SELECT 'DROP VIEW ' || string_agg(format('analytics.%I', v.viewname), ', ')
           FROM pg_views v WHERE v.schemaname = 'analytics' HAVING count(*) > 0);
EXCEPTION WHEN null_value_not_allowed THEN NULL; -- the first time there is nothing to drop
END $$;
