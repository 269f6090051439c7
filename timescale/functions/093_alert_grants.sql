-- Who may set silences, take alerts on, and sample them.
GRANT EXECUTE ON FUNCTION
  control.match_alert(bigint), control.record_silence(uuid, jsonb, text, text, timestamptz, timestamptz, bigint),
  control.end_silence(uuid, text, text), control.acknowledge_alert(bigint, text, text), control.comment_alert(bigint, text, text)
TO fleet_control;
GRANT EXECUTE ON FUNCTION fleet.sample_alerts(uuid, bigint, jsonb) TO fleet_master;
