-- Settings are numbers, choices or texts, each with the scopes that it may be set for. Views are made anew afterwards.
DROP VIEW IF EXISTS analytics.config;
DROP FUNCTION IF EXISTS control.verify_audit();

ALTER TABLE fleet.settings
  ALTER COLUMN default_value TYPE jsonb USING to_jsonb(default_value),
  ALTER COLUMN minimum DROP NOT NULL,
  ALTER COLUMN maximum DROP NOT NULL,
  ADD COLUMN kind text NOT NULL DEFAULT 'number' CHECK (kind IN ('number', 'integer', 'choice', 'text')),
  ADD COLUMN choices text[] NOT NULL DEFAULT '{}',
  ADD COLUMN unit text NOT NULL DEFAULT '',
  ADD COLUMN area text NOT NULL DEFAULT '',
  ADD COLUMN scopes text[] NOT NULL DEFAULT '{fleet,role,node}' CHECK (scopes <@ '{fleet,role,node}' AND scopes <> '{}'),
  ADD CONSTRAINT settings_bounds_check CHECK (
    CASE kind WHEN 'choice' THEN choices <> '{}' WHEN 'text' THEN true ELSE minimum IS NOT NULL AND maximum IS NOT NULL END),
  ADD CONSTRAINT settings_no_secret CHECK (
    key !~* '(^|_)(password|passwd|passphrase|secret|token|credential|credentials|api_?key|private_?key|dsn|jwt)(_|$)');
COMMENT ON TABLE fleet.settings IS 'The catalogue of what can be set: key, kind, unit, default, bounds or choices, and scopes.';
COMMENT ON COLUMN fleet.settings.kind IS 'number, integer, choice (of choices) or text.';
COMMENT ON COLUMN fleet.settings.minimum IS 'Smallest number that is taken; NULL for what is none.';
COMMENT ON COLUMN fleet.settings.maximum IS 'Largest number that is taken; NULL for what is none.';
COMMENT ON COLUMN fleet.settings.area IS 'What it is about: generation, throttle, thresholds, queue, peers, scenarios.';
COMMENT ON COLUMN fleet.settings.scopes IS 'fleet, role, node: what it may be set for.';

ALTER TABLE fleet.config ALTER COLUMN value TYPE jsonb USING to_jsonb(value);
COMMENT ON COLUMN fleet.config.value IS 'A number or a text; JSON''s null gives the scope back to the next wider one.';
CREATE INDEX config_key_version ON fleet.config (key, version);

ALTER TABLE control.audit DROP CONSTRAINT audit_way_check,
  ADD CONSTRAINT audit_way_check CHECK (way IN ('login', 'token', 'grafana', 'none', 'sql'));
