-- What people read of settings, their history, and the weights of scenarios.
CREATE VIEW analytics.config AS
SELECT s.key, coalesce(c.scope, 'default') AS scope, coalesce(c.value, s.default_value) AS value, s.default_value,
  s.kind, s.unit, s.minimum, s.maximum, s.choices, s.scopes, s.area, s.is_threshold, s.description,
  c.version, c.author, c.reason, c.valid_from
FROM fleet.settings s LEFT JOIN fleet.config c ON c.key = s.key AND c.valid_to IS NULL AND c.value <> 'null' AND c.scope = 'fleet'
UNION ALL
SELECT s.key, c.scope, c.value, s.default_value, s.kind, s.unit, s.minimum, s.maximum, s.choices, s.scopes, s.area, s.is_threshold,
  s.description, c.version, c.author, c.reason, c.valid_from
FROM fleet.settings s JOIN fleet.config c ON c.key = s.key AND c.valid_to IS NULL AND c.value <> 'null' AND c.scope <> 'fleet';
COMMENT ON VIEW analytics.config IS 'Every setting: one row for the whole fleet (set or default), and one for each narrower scope that has a value of its own.';
COMMENT ON COLUMN analytics.config.key IS 'Name of the setting, its unit included.';
COMMENT ON COLUMN analytics.config.scope IS 'default, fleet, role:NAME or node:NAME; the narrowest that fits a machine wins.';
COMMENT ON COLUMN analytics.config.value IS 'The value in force for the scope, as JSON: a number in the unit of the key, or a text.';
COMMENT ON COLUMN analytics.config.default_value IS 'The value where nobody has set one.';
COMMENT ON COLUMN analytics.config.kind IS 'number, integer, choice or text.';
COMMENT ON COLUMN analytics.config.unit IS 'Unit of the number; empty where it has none.';
COMMENT ON COLUMN analytics.config.minimum IS 'Smallest number that is taken; NULL for what is none.';
COMMENT ON COLUMN analytics.config.maximum IS 'Largest number that is taken; NULL for what is none.';
COMMENT ON COLUMN analytics.config.choices IS 'The values that a choice takes.';
COMMENT ON COLUMN analytics.config.scopes IS 'For what it may be set: fleet, role, node.';
COMMENT ON COLUMN analytics.config.area IS 'What it is about: generation, throttle, thresholds, queue, peers, scenarios.';
COMMENT ON COLUMN analytics.config.is_threshold IS 'Whether rules of Prometheus use it, as fleet_threshold.';
COMMENT ON COLUMN analytics.config.description IS 'What the setting does.';
COMMENT ON COLUMN analytics.config.version IS 'Version of the configuration that brought the value; NULL for a default.';
COMMENT ON COLUMN analytics.config.author IS 'Who set it.';
COMMENT ON COLUMN analytics.config.reason IS 'Why.';
COMMENT ON COLUMN analytics.config.valid_from IS 'Since when.';

CREATE VIEW analytics.config_history AS
SELECT c.version, c.key, c.scope, nullif(c.value, 'null') AS value,
  nullif(lag(c.value) OVER (PARTITION BY c.key, c.scope ORDER BY c.version), 'null') AS value_before,
  c.valid_from, c.valid_to, c.author, c.reason
FROM fleet.config c;
COMMENT ON VIEW analytics.config_history IS 'Every change of a setting, one row a version; rollbacks are versions too.';
COMMENT ON COLUMN analytics.config_history.version IS 'Version of the configuration, one number for all settings and scopes.';
COMMENT ON COLUMN analytics.config_history.key IS 'The setting.';
COMMENT ON COLUMN analytics.config_history.scope IS 'fleet, role:NAME or node:NAME.';
COMMENT ON COLUMN analytics.config_history.value IS 'The new value; NULL where the scope was given back to the next wider one.';
COMMENT ON COLUMN analytics.config_history.value_before IS 'The value of this scope before; NULL where it had none.';
COMMENT ON COLUMN analytics.config_history.valid_from IS 'Since when it is in force.';
COMMENT ON COLUMN analytics.config_history.valid_to IS 'Until when it was; NULL while it is the newest.';
COMMENT ON COLUMN analytics.config_history.author IS 'Who set it.';
COMMENT ON COLUMN analytics.config_history.reason IS 'Why.';

CREATE VIEW analytics.scenarios AS
SELECT s.scenario, s.title, s.is_healthcare, s.weight,
  s.weight / nullif(sum(s.weight) OVER (), 0) AS asked_ratio,
  coalesce(d.accepted, 0) / nullif(sum(d.accepted) OVER (), 0)::double precision AS effective_ratio_1d,
  coalesce(d.accepted, 0) AS accepted_1d,
  coalesce(k.accepted, 0) AS accepted, coalesce(k.rejected, 0) AS rejected
FROM (SELECT w.scenario, w.title, w.is_healthcare, coalesce(f.value::double precision, w.weight) AS weight
  FROM fleet.scenarios w LEFT JOIN fleet.config f ON f.key = 'scenario_weight_' || w.scenario AND f.valid_to IS NULL AND f.value <> 'null') s
LEFT JOIN (
  SELECT c.scenario, count(*) AS accepted FROM fleet.conversations c
  WHERE c.state = 'accepted' AND c.judged_at > now() - interval '1 day'
    -- The same by the hour, as the index has it.
    AND date_bin('1 hour', c.judged_at, '2000-01-01 00:00:00+00') >= now() - interval '25 hours' GROUP BY 1) d USING (scenario)
LEFT JOIN fleet.scenario_counts k USING (scenario);
COMMENT ON VIEW analytics.scenarios IS 'Kinds of calls that can be ordered, what is asked for in mixed jobs, and what came of them.';
COMMENT ON COLUMN analytics.scenarios.scenario IS 'Name of the scenario.';
COMMENT ON COLUMN analytics.scenarios.title IS 'The name for people.';
COMMENT ON COLUMN analytics.scenarios.is_healthcare IS 'Whether it is about health care.';
COMMENT ON COLUMN analytics.scenarios.weight IS 'Its share in a mixed job, relative to the others (setting scenario_weight_SCENARIO); 0 leaves it out.';
COMMENT ON COLUMN analytics.scenarios.asked_ratio IS 'The same as a share of all, 0 to 1: what mixed jobs ask for.';
COMMENT ON COLUMN analytics.scenarios.effective_ratio_1d IS 'Its share of the conversations accepted in the last day, 0 to 1; NULL where none was.';
COMMENT ON COLUMN analytics.scenarios.accepted_1d IS 'Conversations of it accepted in the last day.';
COMMENT ON COLUMN analytics.scenarios.accepted IS 'Accepted conversations.';
COMMENT ON COLUMN analytics.scenarios.rejected IS 'Rejected conversations.';
