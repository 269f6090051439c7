-- Text messages: what the bridge tells of them.
CREATE OR REPLACE FUNCTION control.record_sms(p_rows jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_count integer;
BEGIN
  INSERT INTO control.sms_deliveries (message_id, alertname, state, number_end, queued_at, finished_at, tries, outcome, reason)
  SELECT r.message_id, left(r.alertname, 500), r.state, right(r.number_end, 4), r.queued_at, r.finished_at, r.tries, r.outcome, left(r.reason, 500)
  FROM jsonb_to_recordset(p_rows) AS r(message_id uuid, alertname text, state text, number_end text, queued_at timestamptz,
    finished_at timestamptz, tries integer, outcome text, reason text)
  ON CONFLICT (message_id) DO NOTHING;
  GET DIAGNOSTICS v_count = ROW_COUNT;
  DELETE FROM control.sms_deliveries d WHERE d.finished_at < now() - interval '400 days';
  RETURN v_count;
END $$;
COMMENT ON FUNCTION control.record_sms(jsonb) IS
  'Keep what became of text messages, for 400 days; told again changes nothing. Returns how many were new.';
