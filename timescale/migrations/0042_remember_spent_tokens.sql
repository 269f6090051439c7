-- A refresh token is good once: who sends one again has a copy of it, or the other one has.
CREATE TABLE control.spent_tokens (
  token_hash bytea PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES control.sessions ON DELETE CASCADE
);
COMMENT ON TABLE control.spent_tokens IS 'Refresh tokens that were swapped for others, as sha256: one that comes again ends its session. Gone with the session.';
COMMENT ON COLUMN control.spent_tokens.session_id IS 'The login that the token belonged to.';
CREATE INDEX spent_tokens_session_id_idx ON control.spent_tokens (session_id);
COMMENT ON INDEX control.spent_tokens_session_id_idx IS 'Finds the tokens of a session that is forgotten.';
