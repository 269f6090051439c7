-- Who took an alert on, and what people wrote about it.
CREATE TABLE control.alert_notes (
  note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id bigint NOT NULL REFERENCES control.alerts,
  time timestamptz NOT NULL DEFAULT clock_timestamp(),
  kind text NOT NULL CHECK (kind IN ('acknowledgement', 'comment')),
  author text NOT NULL,
  comment text,
  CHECK (kind = 'acknowledgement' OR comment IS NOT NULL)
);
CREATE INDEX alert_notes_alert_id_idx ON control.alert_notes (alert_id, note_id);
CREATE UNIQUE INDEX alert_notes_acknowledgement_key ON control.alert_notes (alert_id) WHERE kind = 'acknowledgement';
COMMENT ON TABLE control.alert_notes IS 'Acknowledgements and comments of people, a row each.';
COMMENT ON COLUMN control.alert_notes.kind IS 'acknowledgement: somebody has taken the alert on, once each time that it fires; or comment.';
COMMENT ON COLUMN control.alert_notes.comment IS 'What they wrote; NULL for an acknowledgement without words.';
COMMENT ON INDEX control.alert_notes_acknowledgement_key IS 'Of two who take it on at once one is told that the other has.';
