-- The model server of each node as its worker sees it: kind, whether it is well, how much it does at once.
CREATE TABLE fleet.endpoints (
  node text PRIMARY KEY REFERENCES fleet.nodes ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('llama_cpp', 'ollama', 'lm_studio', 'vllm', 'openai', 'unknown')),
  model text NOT NULL,
  state text NOT NULL CHECK (state IN ('ready', 'loading', 'unloaded', 'no_model', 'wedged', 'unreachable')),
  slots integer CHECK (slots > 0),
  context_tokens integer CHECK (context_tokens > 0),
  models text[] NOT NULL DEFAULT '{}',
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  checked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE fleet.endpoints IS 'The model server of each node, as its worker saw it last. No addresses: they may hold logins.';
COMMENT ON COLUMN fleet.endpoints.kind IS 'What kind of server answers: openai is one of which no more is known, unknown one that has not answered yet.';
COMMENT ON COLUMN fleet.endpoints.model IS 'The model that the worker asks for.';
COMMENT ON COLUMN fleet.endpoints.state IS
  'ready; loading its model; unloaded: it loads the model at the next call or when told to; no_model: it does not list the model; wedged: it answers, but its calls fail (the circuit is open); unreachable.';
COMMENT ON COLUMN fleet.endpoints.slots IS 'Calls that the server works on at once; NULL where it does not tell.';
COMMENT ON COLUMN fleet.endpoints.context_tokens IS 'Tokens that prompt and answer may have together; NULL where it does not tell.';
COMMENT ON COLUMN fleet.endpoints.models IS 'The models that the server lists, at most 100.';
COMMENT ON COLUMN fleet.endpoints.changed_at IS 'When the state changed last.';
COMMENT ON COLUMN fleet.endpoints.checked_at IS 'When the worker told it last: at each change, and once a minute.';
