-- Who may keep the history of alerts, and end a login that was copied.
GRANT EXECUTE ON FUNCTION control.record_alerts(text, jsonb), control.end_copied_session(bytea) TO fleet_control;
