-- Alertmanager delivers what it tells people: who was told is kept, and labels may be as long as Prometheus lets them be.
ALTER TABLE control.alerts ADD COLUMN receivers text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN control.alerts.receivers IS 'Receivers of Alertmanager that it was delivered for, in the order of the first time.';
DROP INDEX control.alerts_firing_key;
ALTER TABLE control.alerts ADD CONSTRAINT alerts_firing_key EXCLUDE USING hash (labels WITH =) WHERE (ended_at IS NULL);
COMMENT ON CONSTRAINT alerts_firing_key ON control.alerts IS 'A delivery and a sample of the same alert are one row.';
COMMENT ON INDEX control.alerts_firing_key IS 'Keeps the constraint of that name; a hash, since labels may be longer than a B-tree takes.';
CREATE INDEX alerts_labels_idx ON control.alerts USING hash (labels);
COMMENT ON INDEX control.alerts_labels_idx IS 'Finds the times that an alert fired.';
