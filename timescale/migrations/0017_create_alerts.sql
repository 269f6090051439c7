-- What fired, how long, and whether anybody was told: Prometheus and Alertmanager forget it.
CREATE TABLE control.alerts (
  alert_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  labels jsonb NOT NULL CHECK (labels ? 'alertname'),
  summary text NOT NULL,
  started_at timestamptz NOT NULL,
  notified_at timestamptz,
  ended_at timestamptz CHECK (ended_at >= started_at)
);
CREATE UNIQUE INDEX alerts_firing_key ON control.alerts (labels) WHERE ended_at IS NULL;
CREATE INDEX alerts_started_at_idx ON control.alerts (started_at);
COMMENT ON TABLE control.alerts IS
  'Each time that an alert fired, from what Alertmanager delivered and from samples of Prometheus, which also know the silenced ones.';
COMMENT ON COLUMN control.alerts.labels IS 'All labels as Prometheus has them; one set of labels fires once at a time.';
COMMENT ON COLUMN control.alerts.notified_at IS 'When Alertmanager first told somebody; NULL while it is only known from Prometheus: silenced, inhibited or waiting.';
COMMENT ON COLUMN control.alerts.ended_at IS 'When it was resolved; NULL while it fires.';
COMMENT ON INDEX control.alerts_firing_key IS 'A delivery and a sample of the same alert are one row.';
