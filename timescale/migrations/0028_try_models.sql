-- A node's model is tried at its server before it is set: what was asked for, and what came of it.
CREATE TABLE fleet.model_probes (
  probe_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  node text NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
  model text NOT NULL CHECK (model ~ '^[!-~]([ -~]{0,198}[!-~])?$'),
  state text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'set', 'refused', 'expired')),
  author text NOT NULL,
  reason text NOT NULL,
  expected_version bigint,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  result text,
  CONSTRAINT model_probes_finished CHECK ((state = 'requested') = (finished_at IS NULL))
);
CREATE UNIQUE INDEX model_probes_open ON fleet.model_probes (node) WHERE state = 'requested';
CREATE INDEX model_probes_node ON fleet.model_probes (node, requested_at);
COMMENT ON TABLE fleet.model_probes IS 'Models that people wanted for a node: requested, then set, refused by the node after a try, or expired untried.';
COMMENT ON COLUMN fleet.model_probes.expected_version IS 'The version of the setting llm_model that the author saw; NULL for none in particular.';
COMMENT ON COLUMN fleet.model_probes.result IS 'What the node said of the try.';
