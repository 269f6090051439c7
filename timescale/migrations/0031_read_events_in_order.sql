-- Events are told late and by many at once: neither their time nor a number says what a reader has not seen yet.
ALTER TABLE telemetry.events ADD COLUMN told_in bigint;
ALTER TABLE telemetry.events ALTER COLUMN told_in SET DEFAULT pg_current_xact_id()::text::bigint;
COMMENT ON COLUMN telemetry.events.told_in IS 'Number of the transaction that told it; NULL for those from before this column.';
CREATE INDEX events_told_in_idx ON telemetry.events (told_in, event_id);
COMMENT ON INDEX telemetry.events_told_in_idx IS 'control.read_events reads on from here.';
