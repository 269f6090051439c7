-- What people did with a job, and how it ended, as events: one for each change, told when it is committed.
CREATE OR REPLACE FUNCTION fleet.tell_job(p_job uuid, p_kind text, p_what text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM fleet.record_event(gen_random_uuid(), NULL, CASE p_kind WHEN 'job_failed' THEN 'error' ELSE 'info' END, p_kind,
    format('Job %s (%s of %s) %s.', j.job_id, j.wanted, CASE WHEN count(*) = 1 THEN min(m.key) ELSE 'several scenarios' END, p_what))
  FROM fleet.jobs j CROSS JOIN jsonb_object_keys(j.mix) m(key) WHERE j.job_id = p_job GROUP BY j.job_id;
END $$;
COMMENT ON FUNCTION fleet.tell_job(uuid, text, text) IS 'The event of something that was done with a job; p_what ends the sentence. Nothing for an id that no job has.';

CREATE OR REPLACE FUNCTION fleet.tell_job_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' OR OLD.job_id <> NEW.job_id THEN
    -- An order under a key gets its id after it was made: the first of the two has no job any more.
    PERFORM fleet.tell_job(NEW.job_id, 'job_submitted', 'was ordered by ' || NEW.requested_by);
    RETURN NULL;
  END IF;
  IF OLD.is_paused <> NEW.is_paused THEN
    PERFORM fleet.tell_job(NEW.job_id, CASE WHEN NEW.is_paused THEN 'job_paused' ELSE 'job_resumed' END,
      CASE WHEN NEW.is_paused THEN 'is paused: what is being written is finished' ELSE 'goes on' END);
  END IF;
  IF OLD.priority <> NEW.priority THEN
    PERFORM fleet.tell_job(NEW.job_id, 'job_moved', format('has priority %s, not %s', NEW.priority, OLD.priority));
  END IF;
  IF OLD.state <> NEW.state AND NEW.state IN ('done', 'failed', 'cancelled') THEN
    PERFORM fleet.tell_job(NEW.job_id, 'job_' || NEW.state,
      CASE NEW.state WHEN 'done' THEN 'is done' WHEN 'failed' THEN 'has failed: none was written' ELSE 'is cancelled' END);
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fleet.tell_job_change() IS 'Trigger: tells that a job was ordered, paused, resumed, given another priority, or has ended.';

SET CONSTRAINTS ALL IMMEDIATE; -- a trigger with work left cannot be replaced
DROP TRIGGER IF EXISTS tell_new_job ON fleet.jobs;
CREATE CONSTRAINT TRIGGER tell_new_job AFTER INSERT ON fleet.jobs DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION fleet.tell_job_change();
DROP TRIGGER IF EXISTS tell_changed_job ON fleet.jobs;
CREATE CONSTRAINT TRIGGER tell_changed_job AFTER UPDATE OF job_id, state, is_paused, priority ON fleet.jobs
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fleet.tell_job_change();
COMMENT ON TRIGGER tell_new_job ON fleet.jobs IS 'A job was ordered.';
COMMENT ON TRIGGER tell_changed_job ON fleet.jobs IS 'A job was paused, resumed, given another priority, or has ended.';
