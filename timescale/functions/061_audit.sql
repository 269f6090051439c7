-- The audit log: its head, whether it is whole, and what is changed by SQL past the control API.
CREATE OR REPLACE FUNCTION control.read_audit_head(OUT audit_rows bigint, OUT hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(max(a.audit_id), 0), coalesce((array_agg(a.hash))[1], '\x') FROM (
    SELECT * FROM control.audit ORDER BY audit_id DESC LIMIT 1) a;
$$;
COMMENT ON FUNCTION control.read_audit_head() IS 'Number of the last row of the audit log and its hash, which stands for all rows before it too.';

CREATE OR REPLACE FUNCTION control.find_audit_break(OUT fault text, OUT row_number bigint, OUT explanation text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_row record;
  v_next bigint;
  v_earlier bigint;
  v_shift bigint;
BEGIN
  SELECT * INTO v_row FROM (
    SELECT a.*, lag(a.hash, 1, '\x'::bytea) OVER w AS before, lag(a.audit_id, 1, 0::bigint) OVER w + 1 AS number,
      control.audit_hash(a.audit_id, a.time, a.actor, a.role, a.way, a.action, a.target, a.outcome, a.reason, a.source,
        a.previous_hash) AS own_hash
    FROM control.audit a WINDOW w AS (ORDER BY a.audit_id)) a
  WHERE a.audit_id <> a.number OR a.previous_hash <> a.before OR a.hash <> a.own_hash
  ORDER BY a.audit_id LIMIT 1;
  IF v_row IS NULL THEN
    RETURN;
  END IF;
  row_number := v_row.number;
  IF v_row.audit_id <> v_row.number THEN
    fault := 'removed';
    explanation := CASE v_row.audit_id - v_row.number WHEN 1 THEN format('row %s was removed', v_row.number)
      ELSE format('rows %s to %s were removed', v_row.number, v_row.audit_id - 1) END;
    RETURN;
  END IF;
  -- A later row that follows the one before this: what stands between them came in afterwards.
  SELECT min(a.audit_id) INTO v_next FROM control.audit a
  WHERE a.previous_hash = v_row.before AND a.audit_id > v_row.audit_id;
  IF v_next IS NOT NULL OR (v_row.previous_hash <> v_row.before AND v_row.hash <> v_row.own_hash AND NOT EXISTS (
      SELECT FROM control.audit a WHERE a.previous_hash = v_row.hash AND a.audit_id > v_row.audit_id)) THEN
    fault := 'inserted';
    explanation := format('row %s does not belong here: %s', v_row.audit_id, coalesce(
      format('row %s follows row %s', v_next, v_row.audit_id - 1), 'it follows no row, and no row follows it'));
    RETURN;
  END IF;
  SELECT max(a.audit_id) INTO v_earlier FROM control.audit a
  WHERE v_row.previous_hash <> v_row.before AND a.hash = v_row.previous_hash AND a.audit_id < v_row.audit_id;
  IF v_earlier IS NOT NULL THEN
    fault := 'inserted';
    row_number := v_earlier + 1;
    explanation := format('row %s does not belong here: row %s follows row %s', v_earlier + 1, v_row.audit_id, v_earlier);
    RETURN;
  END IF;
  -- Rows that were numbered anew after one was taken out have the hash of another number.
  SELECT s INTO v_shift FROM generate_series(1, 1000) AS s
  WHERE v_row.previous_hash <> v_row.before AND v_row.hash = control.audit_hash(v_row.audit_id + s, v_row.time, v_row.actor,
    v_row.role, v_row.way, v_row.action, v_row.target, v_row.outcome, v_row.reason, v_row.source, v_row.previous_hash)
  LIMIT 1;
  IF v_shift IS NOT NULL THEN
    fault := 'removed';
    explanation := format('row %s was written as row %s: what stood before it was removed', v_row.audit_id,
      v_row.audit_id + v_shift);
  ELSIF v_row.hash <> v_row.own_hash THEN
    fault := 'changed';
    explanation := format('row %s does not have the content that it was written with', v_row.audit_id);
  ELSE
    fault := 'changed';
    row_number := v_row.audit_id - 1;
    explanation := format('row %s is not the one that row %s was written after', v_row.audit_id - 1, v_row.audit_id);
  END IF;
END $$;
COMMENT ON FUNCTION control.find_audit_break() IS
  'The first place at which the chain of the audit log does not hold: changed, inserted or removed, the row, a sentence; NULL when it holds.';

CREATE OR REPLACE FUNCTION control.verify_audit(
  p_head text DEFAULT NULL, OUT audit_rows bigint, OUT head text, OUT fault text, OUT row_number bigint, OUT explanation text
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_number bigint := substring(p_head FROM '^([0-9]{1,18}):[0-9a-f]{12,64}$')::bigint;
  v_hash text := substring(p_head FROM '^(?:[0-9]{1,18}:)?([0-9a-f]{12,64})$');
BEGIN
  IF p_head IS NOT NULL AND v_hash IS NULL THEN
    RAISE EXCEPTION 'head must be like 120:9f2c..., not %', left(p_head, 100) USING ERRCODE = 'check_violation',
      HINT = 'Take it from the log of the control API, which writes it each minute: number of rows, colon, hash.';
  END IF;
  SELECT h.audit_rows, h.audit_rows || ':' || encode(h.hash, 'hex') INTO audit_rows, head FROM control.read_audit_head() h;
  SELECT b.fault, b.row_number, b.explanation INTO fault, row_number, explanation FROM control.find_audit_break() b;
  IF fault IS NOT NULL OR v_hash IS NULL OR EXISTS (
      SELECT FROM control.audit a WHERE starts_with(encode(a.hash, 'hex'), v_hash) AND a.audit_id = coalesce(v_number, a.audit_id)) THEN
    RETURN;
  ELSIF v_number <= audit_rows THEN
    fault := 'changed';
    row_number := v_number;
    explanation := format('row %s or one before it was written anew: its hash is not that of the head', v_number);
  ELSE
    fault := 'cut off';
    row_number := audit_rows + 1;
    explanation := format('the log ends at row %s; %s', audit_rows, CASE
      WHEN v_number IS NULL THEN 'the row of this head was cut off'
      WHEN v_number = audit_rows + 1 THEN format('row %s was cut off', v_number)
      ELSE format('rows %s to %s were cut off', audit_rows + 1, v_number) END);
  END IF;
END $$;
COMMENT ON FUNCTION control.verify_audit(text) IS
  'Whether the audit log is whole, and whether it still has the head of an earlier time (ROWS:HASH or HASH, 12 digits at least): fault changed, inserted, removed or cut off, the row, a sentence; NULL when nothing is wrong. Errors: no such form of a head.';

-- What the control API changes has its row already when the transaction ends; whatever else changes one of these tables, with
-- whatever rights, gets one here.
CREATE OR REPLACE FUNCTION control.audit_sql() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_old jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - TG_ARGV[1:] END;
  v_new jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - TG_ARGV[1:] END;
  v_what text;
BEGIN
  IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN
    RETURN NULL;
  ELSIF (SELECT a.xmin = pg_current_xact_id()::xid AND a.way <> 'sql' FROM control.audit a ORDER BY a.audit_id DESC LIMIT 1) THEN
    RETURN NULL;
  END IF;
  IF TG_TABLE_NAME = 'config' AND TG_OP = 'UPDATE' THEN
    -- The end of a value is told with the one that came after it.
    IF v_old - 'valid_to' = v_new - 'valid_to' AND EXISTS (SELECT FROM fleet.config c
        WHERE c.scope = NEW.scope AND c.key = NEW.key AND c.valid_from = NEW.valid_to) THEN
      RETURN NULL;
    END IF;
  END IF;
  v_what := CASE TG_OP WHEN 'INSERT' THEN v_new::text WHEN 'DELETE' THEN v_old::text ELSE (
    SELECT coalesce(string_agg(format('%s: %s -> %s', n.key, coalesce(o.value #>> '{}', 'null'), coalesce(n.value #>> '{}', 'null')), ', ' ORDER BY n.key), 'a hidden column')
    FROM jsonb_each(v_new) n JOIN jsonb_each(v_old) o USING (key) WHERE n.value <> o.value) END;
  PERFORM control.write_audit(session_user::text, 'database', 'sql', 'sql.' || lower(TG_OP),
    format('%s.%s %s', TG_TABLE_SCHEMA, TG_TABLE_NAME, coalesce(v_new, v_old) ->> TG_ARGV[0]), 'done', left(v_what, 500),
    inet_client_addr());
  RETURN NULL;
END $$;
COMMENT ON FUNCTION control.audit_sql() IS
  'Deferred trigger: a row of the audit log, by session_user, for a change in whose transaction the control API wrote none. Arguments: the column that names the row, columns that are not to be shown.';

SET CONSTRAINTS ALL IMMEDIATE; -- a trigger with work left cannot be replaced
DROP TRIGGER IF EXISTS audit_sql ON fleet.config;
CREATE CONSTRAINT TRIGGER audit_sql AFTER INSERT OR UPDATE OR DELETE ON fleet.config
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.audit_sql('version');
DROP TRIGGER IF EXISTS audit_sql ON fleet.settings;
CREATE CONSTRAINT TRIGGER audit_sql AFTER UPDATE ON fleet.settings
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.audit_sql('key');
DROP TRIGGER IF EXISTS audit_sql ON fleet.state;
CREATE CONSTRAINT TRIGGER audit_sql AFTER UPDATE ON fleet.state
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION control.audit_sql('state');
DROP TRIGGER IF EXISTS audit_sql ON control.users;
CREATE CONSTRAINT TRIGGER audit_sql AFTER INSERT OR UPDATE OR DELETE ON control.users
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.audit_sql('login', 'password_hash');
DROP TRIGGER IF EXISTS audit_sql ON control.tokens;
CREATE CONSTRAINT TRIGGER audit_sql AFTER INSERT OR DELETE OR UPDATE OF name, token_hash, scope, expires_at, revoked_at ON control.tokens
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.audit_sql('name', 'token_hash');
