-- The history of alerts, as Prometheus evaluates them: also what Alertmanager tells nobody.
CREATE OR REPLACE FUNCTION fleet.sample_alerts(p_master_id uuid, p_epoch bigint, p_rules jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now timestamptz;
  v_seen record;
  v_row control.alerts;
  v_changed integer := 0;
BEGIN
  PERFORM fleet.hold_lead(p_master_id, p_epoch);
  -- As control.record_alerts: a delivery and a sample of the same alert are one row.
  PERFORM pg_advisory_xact_lock(hashtext('control.alerts'));
  v_now := clock_timestamp();
  FOR v_seen IN
    SELECT a.labels, a.summary, a.state = 'pending' AS is_pending, least(greatest(a.since, 'epoch'), v_now) AS since, r.evaluated_at
    FROM jsonb_to_recordset(p_rules) AS r (evaluated_at timestamptz, alerts jsonb),
      jsonb_to_recordset(r.alerts) AS a (labels jsonb, summary text, state text, since timestamptz)
  LOOP
    SELECT * INTO v_row FROM control.alerts r
    WHERE r.labels = v_seen.labels AND (r.ended_at IS NULL OR r.ended_at > v_seen.since OR r.started_at = v_seen.since)
    ORDER BY r.started_at DESC LIMIT 1;
    IF v_seen.is_pending AND v_row.ended_at IS NULL AND NOT v_row.is_pending THEN
      -- It ended between two samples, and its condition is true anew.
      UPDATE control.alerts r SET ended_at = greatest(v_seen.since, r.started_at) WHERE r.alert_id = v_row.alert_id;
      v_changed := v_changed + 1;
      v_row := NULL;
    END IF;
    IF v_row.alert_id IS NULL THEN
      INSERT INTO control.alerts (labels, summary, started_at, is_pending, evaluated_at)
      VALUES (v_seen.labels, v_seen.summary, v_seen.since, v_seen.is_pending, v_seen.evaluated_at);
      v_changed := v_changed + (NOT v_seen.is_pending)::integer;
    ELSIF v_row.ended_at IS NULL AND (v_row.evaluated_at IS NULL OR v_row.evaluated_at <= v_seen.evaluated_at) THEN
      UPDATE control.alerts r SET evaluated_at = v_seen.evaluated_at, is_pending = r.is_pending AND v_seen.is_pending,
        started_at = CASE WHEN r.is_pending THEN v_seen.since ELSE r.started_at END
      WHERE r.alert_id = v_row.alert_id;
      v_changed := v_changed + (v_row.is_pending AND NOT v_seen.is_pending)::integer;
    ELSIF v_row.ended_at < v_now - interval '1 minute' AND NOT v_seen.is_pending AND v_row.ended_at < v_seen.evaluated_at THEN
      -- Alertmanager heard nothing for a while and took it for ended.
      UPDATE control.alerts r SET ended_at = NULL, evaluated_at = v_seen.evaluated_at WHERE r.alert_id = v_row.alert_id;
      v_changed := v_changed + 1;
    END IF;
  END LOOP;
  -- What Prometheus had once and has no more has ended, when its rules were evaluated since: after its start Prometheus
  -- knows of no alert until then.
  FOR v_row IN
    SELECT r.* FROM control.alerts r
    WHERE r.ended_at IS NULL AND r.evaluated_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM jsonb_to_recordset(p_rules) AS s (alerts jsonb), jsonb_array_elements(s.alerts) a
        WHERE a -> 'labels' = r.labels)
      AND r.evaluated_at < ALL (SELECT coalesce(s.evaluated_at, '-infinity')
        FROM jsonb_to_recordset(p_rules) AS s (alertname text, evaluated_at timestamptz) WHERE s.alertname = r.labels ->> 'alertname')
  LOOP
    IF v_row.is_pending THEN
      DELETE FROM control.alerts r WHERE r.alert_id = v_row.alert_id;
    ELSE
      UPDATE control.alerts r SET ended_at = greatest(v_now, r.started_at) WHERE r.alert_id = v_row.alert_id;
      v_changed := v_changed + 1;
    END IF;
  END LOOP;
  RETURN v_changed;
END $$;
COMMENT ON FUNCTION fleet.sample_alerts(uuid, bigint, jsonb) IS
  'The leader keeps what all alerting rules of Prometheus say now: a list of {alertname, evaluated_at, alerts: [{labels, summary, state, since}]}. Returns how many alerts began to fire or ended. FL002 when another one leads.';
