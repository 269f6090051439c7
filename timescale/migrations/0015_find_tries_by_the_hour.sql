-- analytics.yield_1h asks for refused turns by the hour, beside the conversations of the hour.
CREATE INDEX turn_tries_created_hour_idx ON fleet.turn_tries (date_bin('1 hour', created_at, '2000-01-01 00:00:00+00'));
COMMENT ON INDEX fleet.turn_tries_created_hour_idx IS 'Yield by hour reads the hours that it is asked for.';
