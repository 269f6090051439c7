-- People, programs that act for them, and the log of what they did.
CREATE TYPE control.role AS ENUM ('viewer', 'operator', 'admin');
COMMENT ON TYPE control.role IS 'viewer reads; operator steers jobs and nodes; admin does everything.';

CREATE TABLE control.users (
  login text PRIMARY KEY CHECK (login ~ '^[a-z0-9][a-z0-9._@-]{0,62}$'),
  password_hash text NOT NULL,
  role control.role NOT NULL,
  is_disabled boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE control.users IS 'People who log in to the control API; password_hash is argon2id.';

CREATE TABLE control.sessions (
  session_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  login text NOT NULL REFERENCES control.users ON DELETE CASCADE,
  refresh_hash bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);
COMMENT ON TABLE control.sessions IS 'Logins; the refresh token is kept as its sha256 and renewed at each use.';

CREATE TABLE control.tokens (
  token_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL UNIQUE,
  token_hash bytea NOT NULL UNIQUE,
  scope text NOT NULL CHECK (scope IN ('admin', 'operator', 'viewer', 'sd', 'metrics', 'webhook')),
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);
COMMENT ON TABLE control.tokens IS 'API tokens as sha256; the scope is a role or one narrow purpose.';

CREATE TABLE control.audit (
  audit_id bigint PRIMARY KEY,
  time timestamptz NOT NULL,
  actor text NOT NULL,
  role text NOT NULL,
  way text NOT NULL CHECK (way IN ('login', 'token', 'grafana', 'none')),
  action text NOT NULL,
  target text NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
  reason text NOT NULL,
  source inet,
  previous_hash bytea NOT NULL,
  hash bytea NOT NULL
);
COMMENT ON TABLE control.audit IS 'Every attempt to change something, also refused; append-only, each row hashes the one before.';

CREATE FUNCTION control.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'control.audit is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION control.refuse_change() IS 'Trigger: nobody changes or removes what was logged.';
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON control.audit
  FOR EACH STATEMENT EXECUTE FUNCTION control.refuse_change();
