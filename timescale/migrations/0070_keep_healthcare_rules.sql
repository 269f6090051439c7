-- What a call about health care must keep to, and which turns of which conversations did not.
CREATE TABLE fleet.healthcare_rules (
  rule text PRIMARY KEY CHECK (rule ~ '^[a-z_]{1,40}$'),
  theme text NOT NULL,
  text text NOT NULL,
  source text NOT NULL
);
COMMENT ON TABLE fleet.healthcare_rules IS 'Rules of calls about health care, as the installed version has them; loaded by fleet migrate.';

CREATE TABLE fleet.healthcare_violations (
  conversation_id uuid NOT NULL REFERENCES fleet.conversations,
  rule text NOT NULL CHECK (rule ~ '^[a-z_]{1,40}$'),
  position integer NOT NULL CHECK (position > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (conversation_id, rule, position)
);
CREATE INDEX healthcare_violations_rule_idx ON fleet.healthcare_violations (rule, created_at);
COMMENT ON TABLE fleet.healthcare_violations IS 'Each turn of a judged conversation that breaks a rule of health care.';
COMMENT ON COLUMN fleet.healthcare_violations.rule IS 'Of fleet.healthcare_rules, or one of an earlier version that is no longer there.';
COMMENT ON COLUMN fleet.healthcare_violations.position IS 'The turn, from 1; of a conversation that was given up, the one after its last.';
COMMENT ON INDEX fleet.healthcare_violations_rule_idx IS 'The page of rules counts by rule.';

ALTER TABLE fleet.rejections DROP CONSTRAINT rejections_stage_check;
ALTER TABLE fleet.rejections ADD CONSTRAINT rejections_stage_check
CHECK (stage IN ('shape', 'checks', 'healthcare', 'duplicate'));

-- Both take one more argument now; in a new database there is none yet.
DROP FUNCTION IF EXISTS fleet.store_verdict(uuid, uuid, text, text, text, bytea, text[], text, integer, integer);
DROP FUNCTION IF EXISTS fleet.reject_task(uuid, uuid, integer, text, text, text, text, bytea, text[], text, integer, integer);
