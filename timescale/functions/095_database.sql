-- What is granted on the database itself; a clone of a database does not inherit it.
DO $$ BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO fleet_exporter, fleet_worker, fleet_control, fleet_master, '
    'fleet_grafana, fleet_analyst, fleet_sms', current_database());
  EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO fleet_exporter, fleet_worker', current_database());
END $$;
