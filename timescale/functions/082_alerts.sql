-- The history of alerts, without the addresses among their labels.
CREATE VIEW analytics.alerts AS
SELECT a.started_at AS time, a.labels ->> 'node' AS node, a.labels ->> 'alertname' AS alertname, a.labels ->> 'severity' AS severity,
  CASE WHEN a.ended_at IS NULL THEN 'firing' ELSE 'resolved' END AS state, a.summary,
  a.labels - '{alertname,severity,node,instance,job}'::text[] AS labels, a.notified_at, a.ended_at, a.alert_id, a.receivers
FROM control.alerts a;
COMMENT ON VIEW analytics.alerts IS 'Each time that an alert fired, silenced ones included.';
COMMENT ON COLUMN analytics.alerts.time IS 'When it began to fire.';
COMMENT ON COLUMN analytics.alerts.node IS 'The machine that it is about; NULL for what concerns the whole fleet.';
COMMENT ON COLUMN analytics.alerts.alertname IS 'Name of the alert, such as GpuHot; prometheus/runbooks/ has a page of that name.';
COMMENT ON COLUMN analytics.alerts.severity IS 'critical, warning or info.';
COMMENT ON COLUMN analytics.alerts.state IS 'firing or resolved.';
COMMENT ON COLUMN analytics.alerts.summary IS 'The sentence for people.';
COMMENT ON COLUMN analytics.alerts.labels IS 'What else tells it from others of its name, such as the GPU or the mount.';
COMMENT ON COLUMN analytics.alerts.notified_at IS 'When Alertmanager first told somebody; NULL: nobody, since it was silenced, inhibited or waited.';
COMMENT ON COLUMN analytics.alerts.ended_at IS 'When it was resolved; NULL while it fires.';
COMMENT ON COLUMN analytics.alerts.alert_id IS 'Number of the row.';
COMMENT ON COLUMN analytics.alerts.receivers IS 'Which receivers of Alertmanager were told, such as critical-mail.';
