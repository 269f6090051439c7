-- Silences: the control API sets and ends them at Alertmanager, and keeps here what Alertmanager has taken.
CREATE OR REPLACE FUNCTION control.match_alert(p_alert_id bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_alert control.alerts;
  v_labels jsonb;
BEGIN
  SELECT * INTO v_alert FROM control.alerts a WHERE a.alert_id = p_alert_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no alert %', p_alert_id USING ERRCODE = 'no_data_found', HINT = 'GET /alerts lists all of them.';
  ELSIF v_alert.ended_at IS NOT NULL THEN
    RAISE EXCEPTION 'alert % (%) does not fire any more', p_alert_id, v_alert.labels ->> 'alertname'
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'To mute it the next time, name it with alertname and node.';
  END IF;
  -- Address and job of the target may be others after a restart: the alert would be told again.
  v_labels := v_alert.labels - '{instance,job}'::text[];
  IF (SELECT count(*) FROM jsonb_object_keys(v_labels)) < 2 THEN
    v_labels := v_labels || '{"node": ""}';
  END IF;
  RETURN (SELECT jsonb_agg(jsonb_build_object('name', l.key, 'value', l.value, 'isRegex', false, 'isEqual', true) ORDER BY l.key)
    FROM jsonb_each_text(v_labels) l);
END $$;
COMMENT ON FUNCTION control.match_alert(bigint) IS
  'The matchers that mute one alert that fires or is about to, two at least. Errors: no such alert; it has ended.';

CREATE OR REPLACE FUNCTION control.record_silence(
  p_silence_id uuid, p_matchers jsonb, p_owner text, p_reason text, p_starts_at timestamptz, p_ends_at timestamptz, p_alert_id bigint
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO control.silences (silence_id, matchers, owner, reason, starts_at, ends_at, alert_id)
  VALUES (p_silence_id, p_matchers, p_owner, p_reason, p_starts_at, p_ends_at, p_alert_id)
  ON CONFLICT (silence_id) DO NOTHING;
$$;
COMMENT ON FUNCTION control.record_silence(uuid, jsonb, text, text, timestamptz, timestamptz, bigint) IS
  'Keep a silence that Alertmanager has taken; one that is known changes nothing.';

CREATE OR REPLACE FUNCTION control.end_silence(p_silence_id uuid, p_who text, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_silence control.silences;
  v_now timestamptz := clock_timestamp();
BEGIN
  SELECT * INTO v_silence FROM control.silences s WHERE s.silence_id = p_silence_id FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no silence %', p_silence_id USING ERRCODE = 'no_data_found', HINT = 'GET /alerts/silences lists all of them.';
  ELSIF v_silence.ended_at IS NOT NULL THEN
    RAISE EXCEPTION 'silence % was ended already, by %', p_silence_id, v_silence.ended_by
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Nothing is left to do.';
  ELSIF v_silence.ends_at <= v_now THEN
    RAISE EXCEPTION 'silence % has ended by itself', p_silence_id
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Nothing is left to do.';
  END IF;
  UPDATE control.silences SET ended_at = v_now, ended_by = p_who, end_reason = p_reason WHERE silence_id = p_silence_id;
END $$;
COMMENT ON FUNCTION control.end_silence(uuid, text, text) IS
  'Keep who ended a silence before its time, and why. Errors: no such silence; it has ended.';
