-- Who takes part, what they are set to, and whether the fleet runs.
CREATE TABLE fleet.nodes (
  node text PRIMARY KEY CHECK (node ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  node_id uuid NOT NULL UNIQUE,
  login name UNIQUE,
  roles text[] NOT NULL DEFAULT '{generate,quality}',
  scrape_address text,
  is_expected boolean NOT NULL DEFAULT true,
  agent_version text,
  settings_version bigint,
  worker_state text NOT NULL DEFAULT 'stopped' CHECK (worker_state IN ('stopped', 'running', 'restarting')),
  enrolled_at timestamptz NOT NULL DEFAULT now(),
  last_heartbeat_at timestamptz,
  removed_at timestamptz
);
COMMENT ON TABLE fleet.nodes IS 'Every enrolled machine; the name is its label, its key and its place in URLs.';
COMMENT ON COLUMN fleet.nodes.node_id IS 'Identity kept in a file of the node; proves who it is, names nothing.';
COMMENT ON COLUMN fleet.nodes.login IS 'The database login of this node; functions compare it with session_user.';
COMMENT ON COLUMN fleet.nodes.roles IS 'generate and quality: what its worker does.';
COMMENT ON COLUMN fleet.nodes.scrape_address IS 'host:port at which Prometheus finds the exporter.';
COMMENT ON COLUMN fleet.nodes.is_expected IS 'False while people have switched the machine off on purpose.';

CREATE TABLE fleet.node_counters (
  node text NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
  name text NOT NULL,
  labels jsonb NOT NULL,
  value double precision NOT NULL CHECK (value >= 0),
  PRIMARY KEY (node, name, labels)
);
COMMENT ON TABLE fleet.node_counters IS 'Counters and histogram buckets of a node, bumped in the transaction that writes the counted row.';

CREATE TABLE fleet.settings (
  key text PRIMARY KEY,
  description text NOT NULL,
  default_value double precision NOT NULL,
  minimum double precision NOT NULL,
  maximum double precision NOT NULL CHECK (maximum >= minimum),
  is_threshold boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE fleet.settings IS 'The catalogue of what can be set: key, unit in the name, default and bounds.';
COMMENT ON COLUMN fleet.settings.is_threshold IS 'The master publishes it as fleet_threshold{key}.';

CREATE TABLE fleet.config (
  version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  scope text NOT NULL CHECK (scope ~ '^(fleet|role:[a-z]+|node:[a-z0-9._-]+)$'),
  key text NOT NULL REFERENCES fleet.settings,
  value double precision NOT NULL,
  valid_from timestamptz NOT NULL DEFAULT now(),
  valid_to timestamptz,
  author text NOT NULL,
  reason text NOT NULL
);
CREATE UNIQUE INDEX config_scope_key_current ON fleet.config (scope, key) WHERE valid_to IS NULL;
COMMENT ON TABLE fleet.config IS 'Versioned values per scope (fleet, role:R, node:N); a rollback is a new version.';

CREATE TABLE fleet.state (
  is_singleton boolean PRIMARY KEY DEFAULT true CHECK (is_singleton),
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused')),
  changed_at timestamptz NOT NULL DEFAULT now(),
  changed_by text NOT NULL DEFAULT 'migration',
  reason text NOT NULL DEFAULT 'first start',
  leader_id uuid,
  leader_epoch bigint NOT NULL DEFAULT 0,
  leader_until timestamptz
);
INSERT INTO fleet.state DEFAULT VALUES;
COMMENT ON TABLE fleet.state IS 'One row: whether the fleet generates, and which master leads until when.';
