-- Silences, as people read them, and how noisy alerts are.
CREATE VIEW analytics.silences AS
SELECT s.starts_at AS time,
  (SELECT m ->> 'value' FROM jsonb_array_elements(s.matchers) m
    WHERE m ->> 'name' = 'node' AND (m ->> 'isEqual')::boolean AND NOT (m ->> 'isRegex')::boolean AND m ->> 'value' <> '' LIMIT 1) AS node,
  (SELECT m ->> 'value' FROM jsonb_array_elements(s.matchers) m
    WHERE m ->> 'name' = 'alertname' AND (m ->> 'isEqual')::boolean AND NOT (m ->> 'isRegex')::boolean LIMIT 1) AS alertname,
  CASE WHEN s.ended_at IS NOT NULL OR s.ends_at <= statement_timestamp() THEN 'ended'
    WHEN s.starts_at > statement_timestamp() THEN 'pending' ELSE 'active' END AS state,
  (SELECT string_agg(format('%s%s%s', m ->> 'name', CASE WHEN (m ->> 'isEqual')::boolean THEN '=' ELSE '!' END
      || CASE WHEN (m ->> 'isRegex')::boolean THEN '~' WHEN (m ->> 'isEqual')::boolean THEN '' ELSE '=' END, m -> 'value'), ', ' ORDER BY n)
    FROM jsonb_array_elements(s.matchers) WITH ORDINALITY AS e (m, n)) AS matchers,
  s.reason, s.owner, s.ends_at, s.ended_at, s.ended_by, s.end_reason, s.created_at, s.alert_id, s.silence_id
FROM control.silences s;
COMMENT ON VIEW analytics.silences IS 'Each silence that was set through the control API: which alerts were muted, by whom, why, until when.';
COMMENT ON COLUMN analytics.silences.time IS 'When it began, or will.';
COMMENT ON COLUMN analytics.silences.node IS 'The machine whose alerts it mutes; NULL when it names none, or several.';
COMMENT ON COLUMN analytics.silences.alertname IS 'The alert that it mutes; NULL when it names none, or several.';
COMMENT ON COLUMN analytics.silences.state IS 'pending (begins later), active or ended.';
COMMENT ON COLUMN analytics.silences.matchers IS 'What an alert must fulfil to be muted, as Alertmanager writes it: alertname="GpuHot", node="nova".';
COMMENT ON COLUMN analytics.silences.reason IS 'Why it was set.';
COMMENT ON COLUMN analytics.silences.owner IS 'Who set it.';
COMMENT ON COLUMN analytics.silences.ends_at IS 'Until when it was meant to last.';
COMMENT ON COLUMN analytics.silences.ended_at IS 'When somebody ended it before that; NULL: nobody did.';
COMMENT ON COLUMN analytics.silences.ended_by IS 'Who ended it before its time.';
COMMENT ON COLUMN analytics.silences.end_reason IS 'Why it was ended before its time.';
COMMENT ON COLUMN analytics.silences.created_at IS 'When it was set.';
COMMENT ON COLUMN analytics.silences.alert_id IS 'The alert that it was set for, as in alerts; NULL when it was set for none in particular.';
COMMENT ON COLUMN analytics.silences.silence_id IS 'Its number, also at Alertmanager.';

CREATE VIEW analytics.alert_noise AS
WITH fired AS (
  SELECT a.alert_id, a.labels ->> 'alertname' AS alertname, a.labels ->> 'severity' AS severity, a.started_at AT TIME ZONE 'UTC' AS started_at,
    coalesce(a.ended_at, now()) AT TIME ZONE 'UTC' AS ended_at, a.ended_at - a.started_at AS lasted, k.time - a.started_at AS acknowledged_after
  FROM control.alerts a LEFT JOIN control.alert_notes k ON k.alert_id = a.alert_id AND k.kind = 'acknowledgement'
  WHERE NOT a.is_pending
), told AS (
  SELECT (d.time AT TIME ZONE 'UTC')::date AS day, f.alertname, f.severity, count(*) AS notifications
  FROM control.alert_deliveries d JOIN fired f USING (alert_id) GROUP BY 1, 2, 3
), days AS (
  SELECT d.day::date AS day, f.alertname, f.severity,
    count(*) FILTER (WHERE d.day = date_trunc('day', f.started_at)) AS times_fired,
    sum(extract(epoch FROM least(f.ended_at, d.day + interval '1 day') - greatest(f.started_at, d.day)))::double precision AS firing_seconds,
    count(*) FILTER (WHERE d.day = date_trunc('day', f.started_at) AND f.lasted < interval '5 minutes') AS short_lived,
    count(*) FILTER (WHERE d.day = date_trunc('day', f.started_at) AND f.acknowledged_after IS NOT NULL) AS acknowledged,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM f.acknowledged_after)::double precision)
      FILTER (WHERE d.day = date_trunc('day', f.started_at)) AS acknowledge_seconds_p50
  FROM fired f CROSS JOIN LATERAL generate_series(date_trunc('day', f.started_at), f.ended_at, interval '1 day') AS d (day)
  GROUP BY 1, 2, 3
)
SELECT day, alertname, severity, coalesce(n.times_fired, 0) AS times_fired, coalesce(n.firing_seconds, 0) AS firing_seconds,
  coalesce(t.notifications, 0) AS notifications, coalesce(n.short_lived, 0) AS short_lived, coalesce(n.acknowledged, 0) AS acknowledged,
  n.acknowledge_seconds_p50
FROM days n FULL JOIN told t USING (day, alertname, severity);
COMMENT ON VIEW analytics.alert_noise IS 'How noisy each alert was, by day of UTC.';
COMMENT ON COLUMN analytics.alert_noise.day IS 'The day, by UTC.';
COMMENT ON COLUMN analytics.alert_noise.alertname IS 'Name of the alert.';
COMMENT ON COLUMN analytics.alert_noise.severity IS 'critical, warning or info.';
COMMENT ON COLUMN analytics.alert_noise.times_fired IS 'How often it began to fire on that day, machines added.';
COMMENT ON COLUMN analytics.alert_noise.firing_seconds IS 'How long it fired on that day, machines added; what fires over midnight counts on both days.';
COMMENT ON COLUMN analytics.alert_noise.notifications IS 'How often a receiver was told of it on that day, repeats and ends included.';
COMMENT ON COLUMN analytics.alert_noise.short_lived IS 'Of times_fired, those that were over in less than five minutes: flapping, or a rule that asks for too little.';
COMMENT ON COLUMN analytics.alert_noise.acknowledged IS 'Of times_fired, those that somebody took on.';
COMMENT ON COLUMN analytics.alert_noise.acknowledge_seconds_p50 IS 'Of those the median from firing to acknowledgement; NULL when nobody took one on.';
