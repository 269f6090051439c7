-- The history of alerts, as Alertmanager delivers it.
CREATE OR REPLACE FUNCTION control.record_alerts(p_receiver text, p_alerts jsonb) RETURNS TABLE (opened integer, ended integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now timestamptz;
  v_alert record;
  v_row control.alerts;
BEGIN
  -- Deliveries of two receivers at once: the second one finds the row of the first.
  PERFORM pg_advisory_xact_lock(hashtext('control.alerts'));
  v_now := clock_timestamp();
  opened := 0;
  ended := 0;
  FOR v_alert IN
    SELECT d.labels, d.summary, d.started_at, CASE WHEN d.is_resolved THEN greatest(least(d.ends_at, v_now), d.started_at) END AS ended_at
    FROM (
      SELECT a -> 'labels' AS labels, coalesce(a -> 'annotations' ->> 'summary', '') AS summary, a ->> 'status' = 'resolved' AS is_resolved,
        -- Nothing has begun before there were clocks like ours, or after now.
        least(greatest((a ->> 'startsAt')::timestamptz, 'epoch'), v_now) AS started_at, (a ->> 'endsAt')::timestamptz AS ends_at
      FROM jsonb_array_elements(p_alerts) a
    ) d
  LOOP
    -- What shares a moment with a time that is known is that time: delivered again, late, or for another receiver.
    SELECT * INTO v_row FROM control.alerts r
    WHERE r.labels = v_alert.labels AND r.started_at <= coalesce(v_alert.ended_at, 'infinity')
      AND (r.ended_at IS NULL OR r.ended_at > v_alert.started_at OR r.started_at = v_alert.started_at)
    ORDER BY r.started_at = v_alert.started_at DESC, r.started_at DESC LIMIT 1;
    IF NOT FOUND THEN
      INSERT INTO control.alerts (labels, summary, started_at, notified_at, ended_at, receivers)
      VALUES (v_alert.labels, v_alert.summary, v_alert.started_at, v_now, v_alert.ended_at, ARRAY[p_receiver])
      RETURNING * INTO v_row;
      opened := opened + 1;
      ended := ended + (v_alert.ended_at IS NOT NULL)::integer;
    ELSE
      -- Samples of Prometheus know beginning and end to some seconds; Alertmanager is told them.
      UPDATE control.alerts r SET is_pending = false, notified_at = coalesce(r.notified_at, v_now),
        started_at = CASE WHEN r.notified_at IS NULL THEN greatest(r.started_at, v_alert.started_at) ELSE r.started_at END,
        ended_at = least(r.ended_at, v_alert.ended_at),
        receivers = CASE WHEN p_receiver = ANY (r.receivers) THEN r.receivers ELSE r.receivers || p_receiver END
      WHERE r.alert_id = v_row.alert_id;
      opened := opened + v_row.is_pending::integer;
      ended := ended + (v_row.ended_at IS NULL AND v_alert.ended_at IS NOT NULL)::integer;
    END IF;
    INSERT INTO control.alert_deliveries (alert_id, time, receiver, status)
    VALUES (v_row.alert_id, v_now, p_receiver, CASE WHEN v_alert.ended_at IS NULL THEN 'firing' ELSE 'resolved' END);
  END LOOP;
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION control.record_alerts(text, jsonb) IS
  'Keep what Alertmanager tells a receiver: alerts of its webhook, version 4. Again or late changes no alert, and is one delivery more. Returns how many began to fire and how many ended.';
