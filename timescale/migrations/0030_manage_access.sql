-- Admins make and edit users side by side; whoever is invited chooses the password; a repeated request changes nothing twice.
ALTER TABLE control.users
  ADD COLUMN version integer NOT NULL DEFAULT 1,
  ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now(),
  ALTER COLUMN password_hash DROP NOT NULL;
COMMENT ON COLUMN control.users.password_hash IS 'argon2id; NULL until the person has chosen a password.';
COMMENT ON COLUMN control.users.version IS 'Counts the edits: whoever edits names the version that he saw.';

CREATE TABLE control.invitations (
  login text PRIMARY KEY REFERENCES control.users ON DELETE CASCADE,
  code_hash bytea NOT NULL UNIQUE,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
COMMENT ON TABLE control.invitations IS 'Codes with which a person chooses a password once, as sha256; a new one replaces the one before.';

CREATE TABLE control.answers (
  way text NOT NULL,
  actor text NOT NULL,
  key text NOT NULL,
  action text NOT NULL,
  request_hash bytea NOT NULL,
  answer jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (way, actor, key)
);
COMMENT ON TABLE control.answers IS 'Answers to requests with an idempotency key, for a day: the same request again is answered with it.';
CREATE INDEX answers_created_at_idx ON control.answers (created_at);
COMMENT ON INDEX control.answers_created_at_idx IS 'Finds the answers that are older than a day.';
