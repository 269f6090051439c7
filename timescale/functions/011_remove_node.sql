-- Taking a node out of the fleet.
CREATE OR REPLACE FUNCTION fleet.remove_node(p_node text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_login name;
BEGIN
  UPDATE fleet.nodes n SET removed_at = clock_timestamp(), worker_state = 'stopped'
  WHERE n.node = p_node AND n.removed_at IS NULL RETURNING n.login INTO v_login;
  IF v_login IS NOT NULL THEN
    EXECUTE format('ALTER ROLE %I NOLOGIN', v_login);
  END IF;
END $$;
COMMENT ON COLUMN fleet.nodes.scrape_address IS
  'host:port at which Prometheus finds the exporter, or host:port/path where one port serves many nodes.';
COMMENT ON FUNCTION fleet.remove_node(text) IS
  'Take a node out: it is scraped and watched no more and its login is closed; its rows stay, and fleet.enroll_node brings it back.';
