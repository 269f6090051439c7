-- Users, sessions, tokens, and the hash-chained audit log.
CREATE OR REPLACE FUNCTION control.write_audit(
  p_actor text, p_role text, p_way text, p_action text, p_target text, p_outcome text, p_reason text, p_source inet
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_time timestamptz;
  v_previous bytea;
  v_id bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('control.audit'));
  v_time := clock_timestamp();
  SELECT a.audit_id, a.hash INTO v_id, v_previous FROM control.audit a ORDER BY a.audit_id DESC LIMIT 1;
  v_id := coalesce(v_id, 0) + 1;
  v_previous := coalesce(v_previous, '\x'::bytea);
  INSERT INTO control.audit
  VALUES (v_id, v_time, p_actor, p_role, p_way, p_action, p_target, p_outcome, p_reason, p_source, v_previous,
    control.audit_hash(v_id, v_time, p_actor, p_role, p_way, p_action, p_target, p_outcome, p_reason, p_source, v_previous));
  RETURN v_id;
END $$;

CREATE OR REPLACE FUNCTION control.audit_hash(
  p_id bigint, p_time timestamptz, p_actor text, p_role text, p_way text, p_action text, p_target text,
  p_outcome text, p_reason text, p_source inet, p_previous bytea
) RETURNS bytea LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
  SELECT sha256(p_previous || convert_to(jsonb_build_array(p_id, extract(epoch FROM p_time), p_actor, p_role, p_way,
    p_action, p_target, p_outcome, p_reason, host(p_source))::text, 'UTF8'));
$$;
COMMENT ON FUNCTION control.audit_hash(bigint, timestamptz, text, text, text, text, text, text, text, inet, bytea) IS
  'sha256 over the hash before and the row as a JSON array.';
COMMENT ON FUNCTION control.write_audit(text, text, text, text, text, text, text, inet) IS
  'Append one attempt to the audit log; one transaction with the change it speaks of. Returns its number.';

CREATE OR REPLACE FUNCTION control.put_user(p_login text, p_password_hash text, p_role control.role) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE control.sessions s SET revoked_at = clock_timestamp() FROM control.users u
  WHERE s.login = p_login AND u.login = p_login AND u.password_hash <> p_password_hash AND s.revoked_at IS NULL;
  INSERT INTO control.users (login, password_hash, role) VALUES (p_login, p_password_hash, p_role)
  ON CONFLICT (login) DO UPDATE SET password_hash = excluded.password_hash, role = excluded.role;
$$;
COMMENT ON FUNCTION control.put_user(text, text, control.role) IS 'Make a user, or give an existing one a new password and role; a new password ends the sessions.';

CREATE OR REPLACE FUNCTION control.put_token(
  p_name text, p_token_hash bytea, p_scope text, p_by text, p_expires_at timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO control.tokens (name, token_hash, scope, created_by, expires_at)
  VALUES (p_name, p_token_hash, p_scope, p_by, p_expires_at)
  ON CONFLICT (name) DO UPDATE SET token_hash = excluded.token_hash, scope = excluded.scope,
    expires_at = excluded.expires_at, revoked_at = NULL;
$$;
COMMENT ON FUNCTION control.put_token(text, bytea, text, text, timestamptz) IS 'Make a token of a name, or replace its secret.';

CREATE OR REPLACE FUNCTION control.use_token(p_token_hash bytea) RETURNS TABLE (name text, scope text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_token control.tokens;
BEGIN
  SELECT * INTO v_token FROM control.tokens t WHERE t.token_hash = p_token_hash AND t.revoked_at IS NULL
    AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp());
  IF FOUND THEN
    -- A write at each use would cost every reading request a commit, and two at once would wait for each other.
    IF v_token.last_used_at IS NULL OR v_token.last_used_at < clock_timestamp() - interval '1 minute' THEN
      UPDATE control.tokens t SET last_used_at = clock_timestamp() WHERE t.token_id = v_token.token_id;
    END IF;
    RETURN QUERY SELECT v_token.name, v_token.scope;
  END IF;
END $$;
COMMENT ON FUNCTION control.use_token(bytea) IS 'Name and scope of a valid token, noting its use to the minute; no row for any other.';

CREATE OR REPLACE FUNCTION control.open_session(
  p_login text, p_refresh_hash bytea, p_lifetime interval
) RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM control.sessions s WHERE s.expires_at < clock_timestamp() - interval '30 days';
  INSERT INTO control.sessions (login, refresh_hash, expires_at)
  VALUES (p_login, p_refresh_hash, clock_timestamp() + p_lifetime) RETURNING session_id;
$$;
COMMENT ON FUNCTION control.open_session(text, bytea, interval) IS 'Begin a login session; returns its id. Sessions that expired a month ago are forgotten.';

CREATE OR REPLACE FUNCTION control.renew_session(p_old_hash bytea, p_new_hash bytea)
RETURNS TABLE (session_id uuid, login text, role control.role)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH renewed AS (
    UPDATE control.sessions s SET refresh_hash = p_new_hash, last_used_at = clock_timestamp()
    FROM control.users u
    WHERE s.refresh_hash = p_old_hash AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()
      AND u.login = s.login AND NOT u.is_disabled
    RETURNING s.session_id, s.login, u.role
  ), spent AS (
    INSERT INTO control.spent_tokens (token_hash, session_id) SELECT p_old_hash, r.session_id FROM renewed r
  )
  SELECT r.session_id, r.login, r.role FROM renewed r;
$$;
COMMENT ON FUNCTION control.renew_session(bytea, bytea) IS 'Swap a refresh token for a new one; no row when it is unknown, revoked or expired.';

CREATE OR REPLACE FUNCTION control.end_copied_session(p_hash bytea) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE control.sessions s SET revoked_at = clock_timestamp() FROM control.spent_tokens t
  WHERE t.token_hash = p_hash AND s.session_id = t.session_id AND s.revoked_at IS NULL
  RETURNING s.login;
$$;
COMMENT ON FUNCTION control.end_copied_session(bytea) IS
  'Revoke the session of a refresh token that was swapped already: two have it. Returns whose session; NULL for any other token.';

CREATE OR REPLACE FUNCTION control.end_session(p_session uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE control.sessions SET revoked_at = clock_timestamp() WHERE session_id = p_session AND revoked_at IS NULL;
  RETURN FOUND;
END $$;
COMMENT ON FUNCTION control.end_session(uuid) IS 'Revoke a session; false when it was none or revoked already.';

CREATE OR REPLACE FUNCTION control.live_session(p_session uuid) RETURNS TABLE (login text, role control.role)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.login, u.role FROM control.sessions s JOIN control.users u USING (login)
  WHERE s.session_id = p_session AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp() AND NOT u.is_disabled;
$$;
COMMENT ON FUNCTION control.live_session(uuid) IS 'Who an unrevoked session belongs to, with the role as it is now.';
