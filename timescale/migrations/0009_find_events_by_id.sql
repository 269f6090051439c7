-- Whoever tells an event twice is found out by its id; a unique index on a table by time would have to hold the time too.
CREATE INDEX events_event_id_idx ON telemetry.events (event_id);
COMMENT ON INDEX telemetry.events_event_id_idx IS 'fleet.record_event looks here whether an event has been told.';
ALTER TABLE telemetry.events ADD CONSTRAINT events_kind_check CHECK (kind ~ '^[a-z][a-z0-9_]{2,39}$');
COMMENT ON CONSTRAINT events_kind_check ON telemetry.events IS 'A kind is made of lower-case words: program_ended.';
