-- Settings: effective values, new versions.
CREATE OR REPLACE FUNCTION fleet.setting_in_force(
  p_key text, p_node text, OUT value jsonb, OUT scope text, OUT version bigint
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  SELECT c.value, c.scope, c.version INTO value, scope, version FROM fleet.config c
  WHERE c.key = p_key AND c.valid_to IS NULL AND c.value <> 'null'
    AND (c.scope = 'fleet' OR c.scope = 'node:' || p_node OR EXISTS (
      SELECT FROM fleet.nodes n WHERE n.node = p_node AND c.scope = ANY (SELECT 'role:' || r FROM unnest(n.roles) r)))
  ORDER BY CASE WHEN starts_with(c.scope, 'node:') THEN 1 WHEN starts_with(c.scope, 'role:') THEN 2 ELSE 3 END, c.version DESC
  LIMIT 1;
  IF value IS NULL THEN
    SELECT s.default_value, 'default' INTO value, scope FROM fleet.settings s WHERE s.key = p_key;
  END IF;
END $$;
COMMENT ON FUNCTION fleet.setting_in_force(text, text) IS
  'The value in force and the scope that it comes from: node before role (the newest) before fleet before the default.';

CREATE OR REPLACE FUNCTION fleet.setting(p_key text, p_node text DEFAULT NULL) RETURNS double precision
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (fleet.setting_in_force(p_key, p_node)).value::double precision;
END $$;
COMMENT ON FUNCTION fleet.setting(text, text) IS 'The number in force for a node, without one for the fleet; see setting_in_force.';

CREATE OR REPLACE FUNCTION fleet.node_settings() RETURNS TABLE (version bigint, settings jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_node text := fleet.current_node();
BEGIN
  RETURN QUERY
  -- Only what somebody has set is looked up one by one: asked before each conversation and at each heartbeat.
  SELECT coalesce((SELECT max(c.version) FROM fleet.config c), 0),
    (SELECT jsonb_object_agg(s.key, CASE WHEN s.key IN (SELECT c.key FROM fleet.config c WHERE c.valid_to IS NULL)
       THEN (fleet.setting_in_force(s.key, v_node)).value ELSE s.default_value END)
     FROM fleet.settings s WHERE s.area <> 'scenarios');
END $$;
COMMENT ON FUNCTION fleet.node_settings() IS 'Version and every setting in force for the calling node; weights of scenarios concern jobs, not nodes.';

CREATE OR REPLACE FUNCTION fleet.check_setting(p_setting fleet.settings, p_value jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_given text := left(coalesce(p_value #>> '{}', 'null'), 100);
  v_unit text := CASE WHEN p_setting.unit = '' THEN '' ELSE ' ' || p_setting.unit END;
  v_expected text;
BEGIN
  CASE p_setting.kind
    WHEN 'choice' THEN
      IF jsonb_typeof(p_value) <> 'string' OR v_given <> ALL (p_setting.choices) THEN
        v_expected := 'one of ' || array_to_string(p_setting.choices, ', ');
      END IF;
    WHEN 'text' THEN
      IF jsonb_typeof(p_value) <> 'string' OR (p_value #>> '{}') !~ '^[ -~]{0,200}$' THEN
        v_expected := 'a text of at most 200 printable characters';
      END IF;
    ELSE
      IF jsonb_typeof(p_value) <> 'number' OR p_value::numeric NOT BETWEEN p_setting.minimum::numeric AND p_setting.maximum::numeric
          OR (p_setting.kind = 'integer' AND p_value::numeric % 1 <> 0) THEN
        v_expected := format('%sbetween %s and %s%s', CASE p_setting.kind WHEN 'integer' THEN 'a whole number ' ELSE '' END,
          p_setting.minimum, p_setting.maximum, v_unit);
      END IF;
  END CASE;
  IF v_expected IS NOT NULL THEN
    RAISE EXCEPTION '% must be %, not %', p_setting.key, v_expected, v_given
      USING ERRCODE = 'check_violation', HINT = p_setting.description;
  END IF;
END $$;
COMMENT ON FUNCTION fleet.check_setting(fleet.settings, jsonb) IS 'Error, with key, value and range, for a value that the setting does not take.';

CREATE OR REPLACE FUNCTION fleet.check_scope(p_scope text) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_scope IS NULL OR p_scope NOT IN ('fleet', 'role:generate', 'role:quality')
      AND NOT EXISTS (SELECT FROM fleet.nodes n WHERE 'node:' || n.node = p_scope AND n.removed_at IS NULL) THEN
    RAISE EXCEPTION 'unknown scope %', coalesce(left(p_scope, 100), 'null') USING ERRCODE = 'check_violation',
      HINT = 'Use fleet, role:generate, role:quality, or node: and the name of an enrolled node.';
  END IF;
END $$;
COMMENT ON FUNCTION fleet.check_scope(text) IS 'Error for a scope that there is not.';

CREATE OR REPLACE FUNCTION fleet.find_setting(p_key text, p_scope text) RETURNS fleet.settings
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_setting fleet.settings;
BEGIN
  SELECT * INTO v_setting FROM fleet.settings s WHERE s.key = p_key;
  IF v_setting.key IS NULL AND p_key ~* '(^|_)(pass\w*|secret|token|credentials?|api_?key|private_?key|dsn|jwt)(_|$)' THEN
    RAISE EXCEPTION '% looks like a secret: no setting is one', left(p_key, 100) USING ERRCODE = 'check_violation',
      HINT = 'Secrets are files on the machine that uses them, named by variables that end in _FILE.';
  ELSIF v_setting.key IS NULL THEN
    RAISE EXCEPTION 'unknown setting %', left(p_key, 100) USING ERRCODE = 'no_data_found',
      HINT = 'Known: ' || (SELECT string_agg(s.key, ', ' ORDER BY s.key) FROM fleet.settings s);
  END IF;
  PERFORM fleet.check_scope(p_scope);
  IF split_part(p_scope, ':', 1) <> ALL (v_setting.scopes) THEN
    RAISE EXCEPTION '% cannot be set for %', p_key, p_scope USING ERRCODE = 'check_violation',
      HINT = format('It can be set for: %s.', array_to_string(v_setting.scopes, ', '));
  END IF;
  RETURN v_setting;
END $$;
COMMENT ON FUNCTION fleet.find_setting(text, text) IS 'A setting of the catalogue that may be set for the scope. Errors: unknown, a secret, unknown or unfit scope.';

CREATE OR REPLACE FUNCTION fleet.effective_config(p_scope text)
RETURNS TABLE (key text, value jsonb, origin text, version bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM fleet.check_scope(p_scope);
  RETURN QUERY
  SELECT s.key, coalesce(r.value, f.value), coalesce(r.scope, f.scope), coalesce(r.version, f.version)
  FROM fleet.settings s
  CROSS JOIN LATERAL fleet.setting_in_force(s.key, substring(p_scope FROM '^node:(.*)$')) f
  LEFT JOIN fleet.config r ON r.key = s.key AND r.scope = p_scope AND starts_with(p_scope, 'role:')
    AND r.valid_to IS NULL AND r.value <> 'null';
END $$;
COMMENT ON FUNCTION fleet.effective_config(text) IS
  'Every value in force for a scope, and where it comes from: the scope itself, a wider one, or default. Errors: unknown scope.';

CREATE OR REPLACE FUNCTION fleet.set_config(
  p_scope text, p_key text, p_value jsonb, p_author text, p_reason text, p_version bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_setting fleet.settings := fleet.find_setting(p_key, p_scope);
  v_value jsonb := coalesce(p_value, 'null');
  v_before bigint;
  v_now timestamptz;
  v_version bigint;
BEGIN
  IF v_setting.kind IN ('number', 'integer') AND v_value #>> '{}' ~ '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$' THEN
    v_value := to_jsonb((v_value #>> '{}')::numeric); -- also written as a text: buttons and command lines know no other
  END IF;
  IF v_value <> 'null' THEN
    PERFORM fleet.check_setting(v_setting, v_value);
  END IF;
  IF p_key = 'llm_model' AND v_value NOT IN ('null', '""') AND NOT EXISTS (
      SELECT FROM fleet.model_probes p WHERE 'node:' || p.node = p_scope AND to_jsonb(p.model) = v_value AND p.state = 'set'
        AND p.finished_at > clock_timestamp() - interval '1 day') THEN
    RAISE EXCEPTION '% was not tried at %', v_value #>> '{}', substr(p_scope, 6) USING ERRCODE = 'check_violation',
      HINT = format('POST /nodes/%s/model has the node try it and sets it then.', substr(p_scope, 6));
  END IF;
  -- One change after the other, so that versions and times go up in the order in which changes are seen.
  PERFORM pg_advisory_xact_lock(hashtext('fleet.config'));
  v_now := clock_timestamp();
  SELECT max(c.version) INTO v_before FROM fleet.config c WHERE c.scope = p_scope AND c.key = p_key;
  IF p_version <> coalesce(v_before, 0) THEN
    RAISE EXCEPTION '% of % has version % by now, not %', p_key, p_scope, coalesce(v_before, 0), p_version
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Look at the newer value, then change it with its version.';
  END IF;
  UPDATE fleet.config SET valid_to = v_now WHERE scope = p_scope AND key = p_key AND valid_to IS NULL;
  INSERT INTO fleet.config (scope, key, value, valid_from, author, reason)
  VALUES (p_scope, p_key, v_value, v_now, p_author, p_reason) RETURNING version INTO v_version;
  PERFORM pg_notify('fleet_settings', v_version::text);
  RETURN v_version;
END $$;
COMMENT ON FUNCTION fleet.set_config(text, text, jsonb, text, text, bigint) IS
  'Put a new version of a value in force for a scope; returns the version. NULL gives the scope back to the next wider one. p_version: the one that the author saw, 0 for none. Errors: those of find_setting and check_setting, changed meanwhile.';

CREATE OR REPLACE FUNCTION fleet.set_config(
  p_scope text, p_key text, p_value double precision, p_author text, p_reason text
) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT fleet.set_config(p_scope, p_key, to_jsonb(p_value), p_author, p_reason);
$$;
COMMENT ON FUNCTION fleet.set_config(text, text, double precision, text, text) IS 'The same for a number.';

CREATE OR REPLACE FUNCTION fleet.set_config(
  p_scope text, p_key text, p_value text, p_author text, p_reason text
) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT fleet.set_config(p_scope, p_key, to_jsonb(p_value), p_author, p_reason);
$$;
COMMENT ON FUNCTION fleet.set_config(text, text, text, text, text) IS 'The same for a choice, a text, or a number as a text.';

CREATE OR REPLACE FUNCTION fleet.rollback_config(
  p_scope text, p_key text, p_to bigint, p_author text, p_reason text, p_version bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_to bigint := p_to;
  v_value jsonb;
BEGIN
  PERFORM fleet.find_setting(p_key, p_scope);
  PERFORM pg_advisory_xact_lock(hashtext('fleet.config'));
  IF v_to IS NULL THEN -- to what was before: 0 stands for the time before the first version
    SELECT coalesce((array_agg(c.version ORDER BY c.version DESC))[2], 0) INTO v_to
    FROM fleet.config c WHERE c.scope = p_scope AND c.key = p_key HAVING count(*) > 0;
    IF v_to IS NULL THEN
      RAISE EXCEPTION '% was never set for %: there is nothing to go back to', p_key, p_scope
        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Its history names the scopes that it was set for.';
    END IF;
  END IF;
  IF v_to <> 0 THEN
    SELECT c.value INTO v_value FROM fleet.config c WHERE c.scope = p_scope AND c.key = p_key AND c.version = v_to;
    IF v_value IS NULL THEN
      RAISE EXCEPTION '% has no version % for %', p_key, v_to, p_scope USING ERRCODE = 'no_data_found',
        HINT = coalesce('Known: 0 (not set), ' || (SELECT string_agg(c.version::text, ', ' ORDER BY c.version)
          FROM fleet.config c WHERE c.scope = p_scope AND c.key = p_key) || '.', 'It was never set there.');
    END IF;
  END IF;
  RETURN fleet.set_config(p_scope, p_key, v_value, p_author,
    format('back to version %s%s', v_to, coalesce(': ' || nullif(p_reason, ''), '')), p_version);
END $$;
COMMENT ON FUNCTION fleet.rollback_config(text, text, bigint, text, text, bigint) IS
  'Put an older value in force again as a new version: that of p_to (0: not set), or without it the one before. Errors: those of set_config, no such version.';

CREATE OR REPLACE FUNCTION fleet.config_version(p_time timestamptz) RETURNS bigint
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(max(c.version), 0) FROM fleet.config c WHERE c.valid_from <= p_time;
$$;
COMMENT ON FUNCTION fleet.config_version(timestamptz) IS 'The version of the configuration that was in force at a time; 0 before the first.';

CREATE OR REPLACE FUNCTION fleet.diff_config(p_from bigint, p_to bigint) RETURNS TABLE (
  key text, scope text, before jsonb, after jsonb, version bigint, author text, reason text, changed_at timestamptz
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.key, a.scope, nullif(b.value, 'null'), nullif(a.value, 'null'), a.version, a.author, a.reason, a.valid_from
  FROM (SELECT DISTINCT ON (c.key, c.scope) c.* FROM fleet.config c WHERE c.version <= greatest(p_from, p_to)
        ORDER BY c.key, c.scope, c.version DESC) a
  LEFT JOIN LATERAL (
    SELECT c.value FROM fleet.config c WHERE c.key = a.key AND c.scope = a.scope AND c.version <= least(p_from, p_to)
    ORDER BY c.version DESC LIMIT 1) b ON true
  WHERE a.version > least(p_from, p_to) AND a.value <> coalesce(b.value, 'null')
  ORDER BY a.key, a.scope;
$$;
COMMENT ON FUNCTION fleet.diff_config(bigint, bigint) IS
  'What differs between two versions of the configuration, the older one first; NULL where a scope has no value. The rest tells of the change that brought it last.';
