-- The token that Prometheus will show next is known to all exporters before it does.
ALTER TABLE fleet.scrape_token ADD COLUMN next_hash bytea;
COMMENT ON TABLE fleet.scrape_token IS 'The token with which Prometheus scrapes all nodes, the one before it and the one after it, as sha256. Exporters accept the three.';
COMMENT ON COLUMN fleet.scrape_token.next_hash IS 'Of the token that becomes the current one when a node is removed: announced before it is used, so that no scrape fails then.';
COMMENT ON COLUMN fleet.scrape_token.changed_at IS 'When the current one became it.';
DROP FUNCTION IF EXISTS fleet.put_scrape_token(bytea);
