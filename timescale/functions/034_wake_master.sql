-- A new job wakes the master, which would look for it only at its next round.
CREATE OR REPLACE FUNCTION fleet.tell_new_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify('fleet_jobs', 'new');
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.tell_new_job() IS 'Trigger: NOTIFY fleet_jobs, so that the master makes its first tasks at once.';
CREATE OR REPLACE TRIGGER jobs_tell_new AFTER INSERT ON fleet.jobs
FOR EACH STATEMENT EXECUTE FUNCTION fleet.tell_new_job();
