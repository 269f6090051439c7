-- What the SMS bridge may: tell what became of text messages.
GRANT USAGE ON SCHEMA control TO fleet_sms;
GRANT EXECUTE ON FUNCTION control.record_sms(jsonb) TO fleet_sms;
