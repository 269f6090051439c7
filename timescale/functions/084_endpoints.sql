-- The model servers, for people.
CREATE VIEW analytics.endpoints AS
SELECT e.node, e.kind, e.model, e.state, e.slots, e.context_tokens, e.models, e.changed_at, e.checked_at
FROM fleet.endpoints e JOIN fleet.nodes n USING (node) WHERE n.removed_at IS NULL;
COMMENT ON VIEW analytics.endpoints IS 'The model server of each node, as its worker saw it last.';
COMMENT ON COLUMN analytics.endpoints.node IS 'The node whose worker uses the server.';
COMMENT ON COLUMN analytics.endpoints.kind IS 'llama_cpp, ollama, lm_studio, vllm; openai: of no kind that is known; unknown: has not answered yet.';
COMMENT ON COLUMN analytics.endpoints.model IS 'The model that the worker asks for.';
COMMENT ON COLUMN analytics.endpoints.state IS
  'ready, loading, unloaded (for a game, or by itself), no_model (the server does not list it), wedged (it answers, but calls fail), unreachable.';
COMMENT ON COLUMN analytics.endpoints.slots IS 'Calls that the server works on at once; NULL where it does not tell.';
COMMENT ON COLUMN analytics.endpoints.context_tokens IS 'Tokens that prompt and answer may have together; NULL where it does not tell.';
COMMENT ON COLUMN analytics.endpoints.models IS 'The models that the server lists, at most 100.';
COMMENT ON COLUMN analytics.endpoints.changed_at IS 'When the state changed last.';
COMMENT ON COLUMN analytics.endpoints.checked_at IS 'When the worker told it last: at each change and once a minute.';
