-- What admins do with users and tokens, what people do with their passwords, and requests that are sent again.
CREATE OR REPLACE FUNCTION control.create_user(p_login text, p_role control.role, p_password_hash text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO control.users (login, password_hash, role) VALUES (p_login, p_password_hash, p_role) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'user % exists already', p_login
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Choose another name, or edit that user.';
  END IF;
END $$;
COMMENT ON FUNCTION control.create_user(text, control.role, text) IS
  'Make a user; without a password hash nobody can log in as it before an invitation is used. Error: exists already.';

CREATE OR REPLACE FUNCTION control.lock_user(p_login text) RETURNS control.users
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_user control.users;
BEGIN
  SELECT * INTO v_user FROM control.users u WHERE u.login = p_login FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no user %', p_login USING ERRCODE = 'no_data_found', HINT = 'GET /users lists all users.';
  END IF;
  RETURN v_user;
END $$;
COMMENT ON FUNCTION control.lock_user(text) IS 'The user, locked until the transaction ends. Error: no such user.';

CREATE OR REPLACE FUNCTION control.edit_user(p_login text, p_version integer, p_role control.role, p_is_disabled boolean)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_user control.users;
BEGIN
  -- Two admins who disable each other: the second one waits here and finds that he is the last.
  PERFORM pg_advisory_xact_lock(hashtext('control.users'));
  v_user := control.lock_user(p_login);
  IF v_user.version <> p_version THEN
    RAISE EXCEPTION 'user % has version % by now, not %', p_login, v_user.version, p_version
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Look at the user again, then edit the present version.';
  END IF;
  UPDATE control.users u SET role = coalesce(p_role, u.role), is_disabled = coalesce(p_is_disabled, u.is_disabled),
    version = u.version + 1, changed_at = clock_timestamp() WHERE u.login = p_login;
  IF v_user.role = 'admin' AND NOT v_user.is_disabled
      AND NOT EXISTS (SELECT FROM control.users u WHERE u.role = 'admin' AND NOT u.is_disabled) THEN
    RAISE EXCEPTION '% is the last admin', p_login
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Make somebody else an admin first.';
  END IF;
  IF p_is_disabled THEN
    PERFORM control.end_sessions(p_login, NULL);
    DELETE FROM control.invitations i WHERE i.login = p_login;
  END IF;
END $$;
COMMENT ON FUNCTION control.edit_user(text, integer, control.role, boolean) IS
  'Change role, disable or enable a user; NULL leaves as it is; disabling ends the sessions. Errors: no such user, another version, the last admin.';

CREATE OR REPLACE FUNCTION control.end_sessions(p_login text, p_but uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_ended integer;
BEGIN
  UPDATE control.sessions s SET revoked_at = clock_timestamp()
  WHERE s.login = p_login AND s.revoked_at IS NULL AND s.session_id IS DISTINCT FROM p_but;
  GET DIAGNOSTICS v_ended = ROW_COUNT;
  RETURN v_ended;
END $$;
COMMENT ON FUNCTION control.end_sessions(text, uuid) IS 'Revoke the sessions of a user, but for one; returns how many.';

CREATE OR REPLACE FUNCTION control.set_password(p_login text, p_password_hash text, p_session uuid DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM control.lock_user(p_login);
  UPDATE control.users u SET password_hash = p_password_hash, changed_at = clock_timestamp() WHERE u.login = p_login;
  DELETE FROM control.invitations i WHERE i.login = p_login;
  PERFORM control.end_sessions(p_login, p_session);
END $$;
COMMENT ON FUNCTION control.set_password(text, text, uuid) IS
  'Give a user a new password; all sessions but the one named end, an invitation is void. Error: no such user.';

CREATE OR REPLACE FUNCTION control.invite_user(p_login text, p_code_hash bytea, p_by text, p_lifetime interval)
RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_user control.users := control.lock_user(p_login);
  v_expires timestamptz := clock_timestamp() + p_lifetime;
BEGIN
  IF v_user.is_disabled THEN
    RAISE EXCEPTION 'user % is disabled', p_login
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Enable the user first.';
  END IF;
  INSERT INTO control.invitations (login, code_hash, created_by, expires_at) VALUES (p_login, p_code_hash, p_by, v_expires)
  ON CONFLICT (login) DO UPDATE SET code_hash = excluded.code_hash, created_by = excluded.created_by,
    created_at = now(), expires_at = excluded.expires_at;
  RETURN v_expires;
END $$;
COMMENT ON FUNCTION control.invite_user(text, bytea, text, interval) IS
  'Let a user choose a password once with a code; the code before is void. Returns until when. Errors: no such user, disabled.';

CREATE OR REPLACE FUNCTION control.accept_invitation(p_code_hash bytea, p_password_hash text)
RETURNS TABLE (login text, role control.role) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_login text;
BEGIN
  DELETE FROM control.invitations i WHERE i.code_hash = p_code_hash AND i.expires_at > clock_timestamp() RETURNING i.login INTO v_login;
  IF FOUND THEN
    PERFORM control.set_password(v_login, p_password_hash);
    RETURN QUERY SELECT u.login, u.role FROM control.users u WHERE u.login = v_login;
  END IF;
END $$;
COMMENT ON FUNCTION control.accept_invitation(bytea, text) IS
  'Choose a password with the code of an invitation, which is void afterwards; no row when it is unknown, used or expired.';

CREATE OR REPLACE FUNCTION control.create_token(p_name text, p_token_hash bytea, p_scope text, p_by text, p_lifetime interval)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id uuid;
BEGIN
  -- The name of one that has ended is free again.
  INSERT INTO control.tokens AS t (name, token_hash, scope, created_by, expires_at)
  VALUES (p_name, p_token_hash, p_scope, p_by, clock_timestamp() + p_lifetime)
  ON CONFLICT (name) DO UPDATE SET token_id = gen_random_uuid(), token_hash = excluded.token_hash, scope = excluded.scope,
    created_by = excluded.created_by, created_at = now(), expires_at = excluded.expires_at, last_used_at = NULL, revoked_at = NULL
  WHERE t.revoked_at IS NOT NULL OR t.expires_at <= clock_timestamp()
  RETURNING t.token_id INTO v_id;
  IF v_id IS NULL THEN
    RAISE EXCEPTION 'token % exists already', p_name
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Choose another name, or revoke that token first.';
  END IF;
  RETURN v_id;
END $$;
COMMENT ON FUNCTION control.create_token(text, bytea, text, text, interval) IS
  'Make an API token and return its id; the name of a revoked or expired one may be used again. Error: exists already.';

CREATE OR REPLACE FUNCTION control.revoke_token(p_token uuid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_name text;
BEGIN
  UPDATE control.tokens t SET revoked_at = coalesce(t.revoked_at, clock_timestamp()) WHERE t.token_id = p_token
  RETURNING t.name INTO v_name;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no token %', p_token USING ERRCODE = 'no_data_found', HINT = 'GET /tokens lists all tokens.';
  END IF;
  RETURN v_name;
END $$;
COMMENT ON FUNCTION control.revoke_token(uuid) IS 'Make an API token worth nothing, however often; returns its name. Error: no such token.';

CREATE OR REPLACE FUNCTION control.find_answer(p_way text, p_actor text, p_key text, p_action text, p_request_hash bytea)
RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_before control.answers;
BEGIN
  -- The same request sent twice at once: the second one waits for the answer of the first.
  PERFORM pg_advisory_xact_lock(hashtextextended(concat_ws(chr(31), 'control.answers', p_way, p_actor, p_key), 0));
  DELETE FROM control.answers a WHERE a.created_at < clock_timestamp() - interval '1 day';
  SELECT * INTO v_before FROM control.answers a WHERE (a.way, a.actor, a.key) = (p_way, p_actor, p_key);
  IF (v_before.action, v_before.request_hash) <> (p_action, p_request_hash) THEN
    RAISE EXCEPTION 'idempotency key % was used for another request', p_key
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Use a new key for a new request.';
  END IF;
  RETURN v_before.answer;
END $$;
COMMENT ON FUNCTION control.find_answer(text, text, text, text, bytea) IS
  'The answer to the same request under this key within a day, else NULL; a repeat waits until the first has ended. Error: key used for another request.';

CREATE OR REPLACE FUNCTION control.keep_answer(
  p_way text, p_actor text, p_key text, p_action text, p_request_hash bytea, p_answer jsonb
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO control.answers (way, actor, key, action, request_hash, answer)
  VALUES (p_way, p_actor, p_key, p_action, p_request_hash, p_answer);
$$;
COMMENT ON FUNCTION control.keep_answer(text, text, text, text, bytea, jsonb) IS
  'Keep the answer to a request with an idempotency key, in the transaction of its change.';
