-- What people say of an alert: that they take it on, and what they found.
CREATE OR REPLACE FUNCTION control.acknowledge_alert(p_alert_id bigint, p_author text, p_comment text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_alert control.alerts;
  v_before text;
BEGIN
  SELECT * INTO v_alert FROM control.alerts a WHERE a.alert_id = p_alert_id FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no alert %', p_alert_id USING ERRCODE = 'no_data_found', HINT = 'GET /alerts lists all of them.';
  ELSIF v_alert.is_pending OR v_alert.ended_at IS NOT NULL THEN
    RAISE EXCEPTION 'alert % (%) does not fire', p_alert_id, v_alert.labels ->> 'alertname'
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'A comment can be added at any time.';
  END IF;
  SELECT n.author INTO v_before FROM control.alert_notes n WHERE n.alert_id = p_alert_id AND n.kind = 'acknowledgement';
  IF FOUND THEN
    RAISE EXCEPTION 'alert % (%) was acknowledged already, by %', p_alert_id, v_alert.labels ->> 'alertname', v_before
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'A comment can be added at any time.';
  END IF;
  INSERT INTO control.alert_notes (alert_id, kind, author, comment) VALUES (p_alert_id, 'acknowledgement', p_author, p_comment);
END $$;
COMMENT ON FUNCTION control.acknowledge_alert(bigint, text, text) IS
  'Somebody takes an alert that fires on. Errors: no such alert; it does not fire; somebody has taken it on.';

CREATE OR REPLACE FUNCTION control.comment_alert(p_alert_id bigint, p_author text, p_comment text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM control.alerts a WHERE a.alert_id = p_alert_id AND NOT a.is_pending FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no alert % has fired', p_alert_id USING ERRCODE = 'no_data_found', HINT = 'GET /alerts lists all of them.';
  END IF;
  INSERT INTO control.alert_notes (alert_id, kind, author, comment) VALUES (p_alert_id, 'comment', p_author, p_comment);
END $$;
COMMENT ON FUNCTION control.comment_alert(bigint, text, text) IS
  'Write something to an alert that fires or has fired. Error: no such alert.';
