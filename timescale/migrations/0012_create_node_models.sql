-- What each node's model server can do with each model: found out by asking it, since no list of servers would stay true.
CREATE TABLE fleet.node_models (
  node text NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
  model text NOT NULL,
  continuation text NOT NULL CHECK (continuation IN ('continues', 'starts_over', 'refuses')),
  asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (node, model)
);
COMMENT ON TABLE fleet.node_models IS 'The models that a node''s model server has had, and what it did with them when it was asked last.';
COMMENT ON COLUMN fleet.node_models.model IS 'The model as the worker asks for it.';
COMMENT ON COLUMN fleet.node_models.continuation IS
  'What it does with the beginning of an answer: continues, starts_over, or refuses the request.';
COMMENT ON COLUMN fleet.node_models.asked_at IS 'When it was asked last.';
