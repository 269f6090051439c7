-- Who may do what: nothing by default, then one list a role.
-- What an earlier version granted and this one does not is taken back first.
REVOKE ALL ON ALL TABLES IN SCHEMA telemetry, fleet, control, analytics
  FROM fleet_exporter, fleet_worker, fleet_control, fleet_master, fleet_grafana, fleet_analyst, fleet_sms;
REVOKE ALL ON ALL ROUTINES IN SCHEMA telemetry, fleet, control
  FROM fleet_exporter, fleet_worker, fleet_control, fleet_master, fleet_grafana, fleet_analyst, fleet_sms;
REVOKE ALL ON SCHEMA telemetry, fleet, control, analytics
  FROM fleet_exporter, fleet_worker, fleet_control, fleet_master, fleet_grafana, fleet_analyst, fleet_sms;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA telemetry, fleet, control FROM PUBLIC;
-- Whoever holds our advisory locks stops orders and the audit log; large objects are a way to write.
DO $$
DECLARE
  v_function regprocedure;
BEGIN
  FOR v_function IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace
    AND (p.proname LIKE 'pg%advisory%' OR p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea'))
    AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', v_function);
  END LOOP;
END $$;
GRANT USAGE ON SCHEMA analytics TO fleet_control, fleet_master, fleet_grafana, fleet_analyst;
GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO fleet_control, fleet_master, fleet_grafana, fleet_analyst;

GRANT USAGE ON SCHEMA telemetry TO fleet_exporter, fleet_master;
GRANT INSERT ON telemetry.hardware, telemetry.gpu, telemetry.disks, telemetry.disk_io, telemetry.temperatures,
  telemetry.network TO fleet_exporter;
DO $$ BEGIN
  IF to_regclass('telemetry.dirty_minutes') IS NOT NULL THEN -- on plain PostgreSQL, where a trigger writes it for them
    GRANT INSERT ON telemetry.dirty_minutes TO fleet_exporter;
  END IF;
END $$;
GRANT USAGE ON SCHEMA fleet TO fleet_worker, fleet_control, fleet_master, fleet_exporter;
GRANT EXECUTE ON FUNCTION fleet.current_node() TO fleet_exporter, fleet_worker;
GRANT EXECUTE ON FUNCTION fleet.record_event(uuid, timestamptz, text, text, text, text)
TO fleet_exporter, fleet_worker, fleet_master, fleet_control;

GRANT SELECT ON fleet.prompts TO fleet_worker;
GRANT EXECUTE ON FUNCTION
  fleet.heartbeat(text, text, bigint), fleet.read_counters(), fleet.node_settings(),
  fleet.claim_tasks(uuid, integer, text), fleet.start_task(uuid, uuid, integer, bigint, jsonb),
  fleet.store_turn(uuid, uuid, integer, integer, text, text), fleet.extend_lease(uuid, uuid[]),
  fleet.finish_task(uuid, uuid, integer, text), fleet.release_task(uuid, uuid, integer, text, text),
  fleet.decide_failures(boolean), fleet.has_open_failures(), fleet.set_circuit(boolean, text), fleet.set_continuation(text, text),
  fleet.report_endpoint(text, text, text, integer, integer, text[]), fleet.is_paused(),
  fleet.return_own_tasks(uuid),
  fleet.record_try(uuid, uuid, integer, uuid, integer, text, bigint, double precision),
  fleet.restart_task(uuid, uuid, integer, integer, jsonb),
  fleet.reject_task(uuid, uuid, integer, text, text, text, text, bytea, text[], text, integer, integer, jsonb),
  fleet.record_llm_request(uuid, uuid, text, bigint, bigint, double precision, double precision, text, bigint),
  fleet.claim_judgements(uuid, integer),
  fleet.store_verdict(uuid, uuid, text, text, text, bytea, text[], text, integer, integer, jsonb),
  fleet.peer_round(text, text, text), fleet.record_peers(jsonb)
TO fleet_worker;

GRANT SELECT ON fleet.state, fleet.settings, fleet.nodes, fleet.jobs, fleet.tasks, fleet.job_counts TO fleet_master;

GRANT USAGE ON SCHEMA control TO fleet_control;
GRANT SELECT ON control.users, control.sessions, control.tokens, control.audit, fleet.nodes, fleet.scenarios TO fleet_control;
GRANT EXECUTE ON FUNCTION
  fleet.cancel_job(uuid), fleet.pause_job(uuid), fleet.resume_job(uuid), fleet.set_job_priority(uuid, integer), fleet.move_job(uuid, text, uuid),
  fleet.retry_job(uuid), fleet.set_node_class(text, text),
  fleet.set_fleet_state(text, text, text), fleet.set_config(text, text, double precision, text, text), fleet.set_config(text, text, text, text, text),
  fleet.set_config(text, text, jsonb, text, text, bigint), fleet.rollback_config(text, text, bigint, text, text, bigint),
  fleet.effective_config(text), fleet.config_version(timestamptz), fleet.diff_config(bigint, bigint),
  control.write_audit(text, text, text, text, text, text, text, inet), control.verify_audit(text), control.read_audit_head(),
  control.put_user(text, text, control.role), control.put_token(text, bytea, text, text, timestamptz),
  control.use_token(bytea), control.open_session(text, bytea, interval), control.renew_session(bytea, bytea),
  control.end_session(uuid), control.live_session(uuid)
TO fleet_control;
GRANT EXECUTE ON FUNCTION
  control.create_user(text, control.role, text), control.edit_user(text, integer, control.role, boolean),
  control.set_password(text, text, uuid), control.invite_user(text, bytea, text, interval),
  control.accept_invitation(bytea, text), control.create_token(text, bytea, text, text, interval), control.revoke_token(uuid),
  control.event_horizon(), control.read_events(bigint, uuid, integer),
  control.find_answer(text, text, text, text, bytea), control.keep_answer(text, text, text, text, bytea, jsonb)
TO fleet_control;

-- Any Viewer of Grafana can send any SQL as fleet_grafana: read-only, short, few at a time.
ALTER ROLE fleet_grafana SET default_transaction_read_only = on;
ALTER ROLE fleet_grafana SET statement_timeout = '15s';
ALTER ROLE fleet_grafana CONNECTION LIMIT 20;
ALTER ROLE fleet_analyst SET default_transaction_read_only = on;
ALTER ROLE fleet_analyst SET statement_timeout = '5min';
