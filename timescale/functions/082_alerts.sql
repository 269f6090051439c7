-- The history of alerts, without the addresses among their labels.
CREATE VIEW analytics.alerts AS
SELECT a.started_at AS time, a.labels ->> 'node' AS node, a.labels ->> 'alertname' AS alertname, a.labels ->> 'severity' AS severity,
  CASE WHEN a.is_pending THEN 'pending' WHEN a.ended_at IS NULL THEN 'firing' ELSE 'resolved' END AS state, a.summary,
  a.labels - '{alertname,severity,node,instance,job}'::text[] AS labels, a.notified_at, a.ended_at, a.alert_id, a.receivers,
  a.notified_at IS NOT NULL AS was_delivered,
  CASE WHEN a.evaluated_at IS NULL THEN 'alertmanager' WHEN a.notified_at IS NULL THEN 'prometheus' ELSE 'both' END AS source,
  k.time AS acknowledged_at, k.author AS acknowledged_by, c.comment
FROM control.alerts a
LEFT JOIN control.alert_notes k ON k.alert_id = a.alert_id AND k.kind = 'acknowledgement'
LEFT JOIN LATERAL (
  SELECT n.comment FROM control.alert_notes n WHERE n.alert_id = a.alert_id AND n.comment IS NOT NULL ORDER BY n.note_id DESC LIMIT 1
) c ON true;
COMMENT ON VIEW analytics.alerts IS 'Each time that an alert fired, silenced ones included, and those that are about to.';
COMMENT ON COLUMN analytics.alerts.time IS 'When it began to fire; of a pending one, when its condition became true.';
COMMENT ON COLUMN analytics.alerts.node IS 'The machine that it is about; NULL for what concerns the whole fleet.';
COMMENT ON COLUMN analytics.alerts.alertname IS 'Name of the alert, such as GpuHot; prometheus/runbooks/ has a page of that name.';
COMMENT ON COLUMN analytics.alerts.severity IS 'critical, warning or info.';
COMMENT ON COLUMN analytics.alerts.state IS 'pending, firing or resolved. One that was pending and never fired is not kept.';
COMMENT ON COLUMN analytics.alerts.summary IS 'The sentence for people.';
COMMENT ON COLUMN analytics.alerts.labels IS 'What else tells it from others of its name, such as the GPU or the mount.';
COMMENT ON COLUMN analytics.alerts.notified_at IS 'When Alertmanager first told somebody; NULL: nobody, since it was silenced, inhibited or waited.';
COMMENT ON COLUMN analytics.alerts.ended_at IS 'When it was resolved; NULL while it fires.';
COMMENT ON COLUMN analytics.alerts.alert_id IS 'Number of the row.';
COMMENT ON COLUMN analytics.alerts.receivers IS 'Which receivers of Alertmanager were told, such as critical-mail; empty: none.';
COMMENT ON COLUMN analytics.alerts.was_delivered IS 'Whether Alertmanager has told anybody of it.';
COMMENT ON COLUMN analytics.alerts.source IS 'Who knew of it: prometheus (the sample of its rules each 15 s), alertmanager (what it delivers) or both.';
COMMENT ON COLUMN analytics.alerts.acknowledged_at IS 'When somebody took it on; NULL: nobody has.';
COMMENT ON COLUMN analytics.alerts.acknowledged_by IS 'Who took it on.';
COMMENT ON COLUMN analytics.alerts.comment IS 'What was last written to it; all of it is in alert_notes.';

CREATE VIEW analytics.alert_notes AS
SELECT n.time, a.labels ->> 'node' AS node, a.labels ->> 'alertname' AS alertname, n.kind, n.author, n.comment, n.alert_id, n.note_id
FROM control.alert_notes n JOIN control.alerts a USING (alert_id);
COMMENT ON VIEW analytics.alert_notes IS 'What people said of alerts, a row each: that they take one on, and comments.';
COMMENT ON COLUMN analytics.alert_notes.time IS 'When it was said.';
COMMENT ON COLUMN analytics.alert_notes.node IS 'The machine that the alert is about; NULL for the whole fleet.';
COMMENT ON COLUMN analytics.alert_notes.alertname IS 'Name of the alert.';
COMMENT ON COLUMN analytics.alert_notes.kind IS 'acknowledgement (at most one each time that an alert fires) or comment.';
COMMENT ON COLUMN analytics.alert_notes.author IS 'Who said it.';
COMMENT ON COLUMN analytics.alert_notes.comment IS 'What was said; NULL for an acknowledgement without words.';
COMMENT ON COLUMN analytics.alert_notes.alert_id IS 'The alert, as in alerts.';
COMMENT ON COLUMN analytics.alert_notes.note_id IS 'Number of the row.';

CREATE VIEW analytics.alert_deliveries AS
SELECT d.time, a.labels ->> 'node' AS node, a.labels ->> 'alertname' AS alertname, a.labels ->> 'severity' AS severity, d.receiver, d.status,
  d.alert_id, d.delivery_id
FROM control.alert_deliveries d JOIN control.alerts a USING (alert_id);
COMMENT ON VIEW analytics.alert_deliveries IS 'Each time that Alertmanager told a receiver of an alert, repeats included. One mail may tell of several alerts.';
COMMENT ON COLUMN analytics.alert_deliveries.time IS 'When the control API heard of it.';
COMMENT ON COLUMN analytics.alert_deliveries.node IS 'The machine that the alert is about; NULL for the whole fleet.';
COMMENT ON COLUMN analytics.alert_deliveries.alertname IS 'Name of the alert.';
COMMENT ON COLUMN analytics.alert_deliveries.severity IS 'critical, warning or info.';
COMMENT ON COLUMN analytics.alert_deliveries.receiver IS 'The receiver of Alertmanager, such as critical-mail.';
COMMENT ON COLUMN analytics.alert_deliveries.status IS 'What it was told: firing or resolved.';
COMMENT ON COLUMN analytics.alert_deliveries.alert_id IS 'The alert, as in alerts.';
COMMENT ON COLUMN analytics.alert_deliveries.delivery_id IS 'Number of the row.';
