-- Alertmanager delivers neither what is silenced or inhibited nor what is about to fire; Prometheus knows all of it.
ALTER TABLE control.alerts
  ADD COLUMN is_pending boolean NOT NULL DEFAULT false,
  ADD COLUMN evaluated_at timestamptz,
  ADD CHECK (NOT is_pending OR (ended_at IS NULL AND notified_at IS NULL));
COMMENT ON TABLE control.alerts IS
  'Each time that an alert fired or is about to, from what Alertmanager delivered and from samples of Prometheus, which also know the silenced ones.';
COMMENT ON COLUMN control.alerts.started_at IS 'When it began to fire; of a pending one, when its condition became true.';
COMMENT ON COLUMN control.alerts.is_pending IS 'True while its condition is true for less than its rule asks for; one that never fires is removed.';
COMMENT ON COLUMN control.alerts.evaluated_at IS
  'The last evaluation of its rule that had it, by the clock of Prometheus; NULL: no sample of Prometheus has had it.';

CREATE TABLE control.alert_deliveries (
  delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id bigint NOT NULL REFERENCES control.alerts,
  time timestamptz NOT NULL,
  receiver text NOT NULL,
  status text NOT NULL CHECK (status IN ('firing', 'resolved'))
);
CREATE INDEX alert_deliveries_time_idx ON control.alert_deliveries (time);
CREATE INDEX alert_deliveries_alert_id_idx ON control.alert_deliveries (alert_id);
COMMENT ON TABLE control.alert_deliveries IS 'Each time that Alertmanager told a receiver of an alert, repeats included.';
COMMENT ON COLUMN control.alert_deliveries.time IS 'When the control API heard of it.';
COMMENT ON COLUMN control.alert_deliveries.status IS 'What it was told: firing or resolved.';
