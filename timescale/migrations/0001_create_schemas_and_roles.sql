-- Roles belong to the server, schemas to the database: a second database on one server finds the roles made.
DO $$
DECLARE
  v_role text;
BEGIN
  FOREACH v_role IN ARRAY ARRAY[
    'fleet_exporter', 'fleet_worker', 'fleet_control', 'fleet_master', 'fleet_grafana', 'fleet_analyst'
  ] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_role) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', v_role);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- another database's migration won the race
      END;
    END IF;
  END LOOP;
END $$;

COMMENT ON ROLE fleet_exporter IS 'Writes readings into telemetry; every node login is a member.';
COMMENT ON ROLE fleet_worker IS 'Claims tasks and stores conversations through functions; every node login is a member.';
COMMENT ON ROLE fleet_control IS 'The control API: calls the functions that people and buttons cause.';
COMMENT ON ROLE fleet_master IS 'The master: splits jobs, takes back lost work, keeps the leader lease.';
COMMENT ON ROLE fleet_grafana IS 'Grafana panels: SELECT on analytics, nothing else.';
COMMENT ON ROLE fleet_analyst IS 'People with SQL: SELECT on analytics with a longer time-out.';

CREATE SCHEMA telemetry;
COMMENT ON SCHEMA telemetry IS 'Readings and events, one row each; exporters and workers insert, nobody updates.';
CREATE SCHEMA control;
COMMENT ON SCHEMA control IS 'Users, tokens, sessions and the audit log; changed only through functions.';
