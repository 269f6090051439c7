-- What became of text messages; the bridge sends them without the database and tells it afterwards.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'fleet_sms') THEN
    BEGIN
      CREATE ROLE fleet_sms NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- another database's migration won the race
    END;
  END IF;
END $$;
COMMENT ON ROLE fleet_sms IS 'The SMS bridge: tells what became of text messages, and can do nothing else.';
CREATE TABLE control.sms_deliveries (
  message_id uuid PRIMARY KEY,
  alertname text NOT NULL,
  state text NOT NULL CHECK (state IN ('firing', 'resolved', 'more')),
  number_end text NOT NULL,
  queued_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  tries integer NOT NULL CHECK (tries >= 0),
  outcome text NOT NULL CHECK (outcome IN ('sent', 'refused', 'expired')),
  reason text NOT NULL
);
CREATE INDEX sms_deliveries_finished_at_idx ON control.sms_deliveries (finished_at);
COMMENT ON TABLE control.sms_deliveries IS 'Text messages that are done, one row for each number.';
COMMENT ON COLUMN control.sms_deliveries.message_id IS 'Given by the bridge: told again, it changes nothing.';
COMMENT ON COLUMN control.sms_deliveries.alertname IS 'The alert it was about; several with commas between them where state is more.';
COMMENT ON COLUMN control.sms_deliveries.state IS 'firing, resolved, or more: it stands for messages that the cap held back.';
COMMENT ON COLUMN control.sms_deliveries.number_end IS 'Last four digits of the number.';
COMMENT ON COLUMN control.sms_deliveries.queued_at IS 'When Alertmanager told the bridge, by its clock.';
COMMENT ON COLUMN control.sms_deliveries.finished_at IS 'When it was sent or given up, by the clock of the bridge.';
COMMENT ON COLUMN control.sms_deliveries.tries IS 'How often the provider was called.';
COMMENT ON COLUMN control.sms_deliveries.outcome IS 'sent, refused by the provider, or expired unsent.';
COMMENT ON COLUMN control.sms_deliveries.reason IS 'What the provider said; empty where it was sent.';
COMMENT ON INDEX control.sms_deliveries_finished_at_idx IS 'Finds the newest, and those that are too old to keep.';
