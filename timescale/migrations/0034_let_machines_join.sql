-- Machines join with a code that is good once; who scrapes shows a token that is renewed when one leaves.
CREATE TABLE fleet.node_invitations (
  code_hash bytea PRIMARY KEY,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  node text REFERENCES fleet.nodes ON DELETE CASCADE
);
COMMENT ON TABLE fleet.node_invitations IS 'Codes with which a machine joins, each good once; kept as sha256.';
COMMENT ON COLUMN fleet.node_invitations.node IS 'The machine that used it.';

CREATE TABLE fleet.scrape_token (
  is_singleton boolean PRIMARY KEY DEFAULT true CHECK (is_singleton),
  current_hash bytea NOT NULL,
  previous_hash bytea,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE fleet.scrape_token IS 'The token with which Prometheus scrapes all nodes, and the one before it, as sha256. Exporters accept both.';

-- The control API keeps answers by key for every change; commands need no keys of their own.
ALTER TABLE fleet.commands DROP COLUMN idempotency_key;
DROP FUNCTION IF EXISTS fleet.request_command(text, text, text, text, double precision, text);
