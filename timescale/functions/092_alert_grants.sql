-- Who may keep the history of alerts.
GRANT EXECUTE ON FUNCTION control.record_alerts(text, jsonb) TO fleet_control;
