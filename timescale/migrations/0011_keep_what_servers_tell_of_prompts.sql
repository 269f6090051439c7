-- Not every server tells how long a prompt was, and a call that is cut often does not learn it: NULL, never 0.
ALTER TABLE telemetry.llm_requests ALTER COLUMN prompt_tokens DROP NOT NULL;
ALTER TABLE fleet.conversations ALTER COLUMN prompt_tokens DROP NOT NULL;
UPDATE telemetry.llm_requests SET prompt_tokens = NULL WHERE prompt_tokens = 0;
UPDATE fleet.conversations SET prompt_tokens = NULL WHERE prompt_tokens = 0;
ALTER TABLE telemetry.llm_requests ADD COLUMN cached_prompt_tokens bigint CHECK (cached_prompt_tokens >= 0);
COMMENT ON COLUMN telemetry.llm_requests.prompt_tokens IS 'Tokens of the prompt; NULL where the server did not tell.';
COMMENT ON COLUMN telemetry.llm_requests.cached_prompt_tokens IS
  'How many of the prompt''s tokens the server had read before and kept; NULL where it did not tell.';
COMMENT ON COLUMN fleet.conversations.prompt_tokens IS
  'Prompt tokens of all calls for its task, as far as the server told them; NULL where it told none.';
