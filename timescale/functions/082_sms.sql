-- What became of text messages, for people.
CREATE VIEW analytics.sms_deliveries AS
SELECT d.finished_at, d.alertname, d.state, d.outcome, d.number_end, d.tries, d.reason,
  extract(epoch FROM d.finished_at - d.queued_at)::double precision AS duration_seconds, d.message_id
FROM control.sms_deliveries d;
COMMENT ON VIEW analytics.sms_deliveries IS 'Text messages of alerts that are done, one row for each number, written by the SMS bridge afterwards.';
COMMENT ON COLUMN analytics.sms_deliveries.finished_at IS 'When it was sent or given up.';
COMMENT ON COLUMN analytics.sms_deliveries.alertname IS 'The alert it was about; several with commas between them where state is more.';
COMMENT ON COLUMN analytics.sms_deliveries.state IS 'firing, resolved, or more: it stands for messages that the cap held back.';
COMMENT ON COLUMN analytics.sms_deliveries.outcome IS 'sent, refused by the provider, or expired unsent.';
COMMENT ON COLUMN analytics.sms_deliveries.number_end IS 'Last four digits of the number.';
COMMENT ON COLUMN analytics.sms_deliveries.tries IS 'How often the provider was called.';
COMMENT ON COLUMN analytics.sms_deliveries.reason IS 'What the provider said; empty where it was sent.';
COMMENT ON COLUMN analytics.sms_deliveries.duration_seconds IS 'From Alertmanager''s notice to the provider''s answer.';
COMMENT ON COLUMN analytics.sms_deliveries.message_id IS 'Identity of the message.';
