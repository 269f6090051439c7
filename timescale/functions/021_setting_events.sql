-- Changes of settings as events: who reads a curve sees beside it what was changed.
CREATE OR REPLACE FUNCTION fleet.tell_setting() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM fleet.record_event(gen_random_uuid(), NULL, 'info', 'setting_changed', format('%s of %s is %s (version %s, by %s%s).',
    NEW.key, NEW.scope, CASE NEW.value WHEN 'null' THEN 'that of the wider scope again' ELSE left(NEW.value #>> '{}', 100) END, NEW.version, NEW.author,
    coalesce(': ' || nullif(NEW.reason, ''), '')));
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.tell_setting() IS 'Trigger: tells a new version of a setting.';

CREATE OR REPLACE TRIGGER tell_setting AFTER INSERT ON fleet.config FOR EACH ROW EXECUTE FUNCTION fleet.tell_setting();
COMMENT ON TRIGGER tell_setting ON fleet.config IS 'A value was put in force.';
