-- The rules of health care with what came of them, and the turns that broke them.
CREATE VIEW analytics.healthcare_violations AS
SELECT v.created_at AS time, c.node, v.conversation_id, v.rule, v.position, c.scenario, c.model, u.text_scrubbed AS text
FROM fleet.healthcare_violations v JOIN fleet.conversations c USING (conversation_id)
LEFT JOIN fleet.turns u ON u.task_id = c.task_id AND u.position = v.position;
COMMENT ON VIEW analytics.healthcare_violations IS 'Each turn of a judged conversation that breaks a rule of health care.';
COMMENT ON COLUMN analytics.healthcare_violations.time IS 'When it was judged.';
COMMENT ON COLUMN analytics.healthcare_violations.node IS 'Machine that wrote it.';
COMMENT ON COLUMN analytics.healthcare_violations.conversation_id IS 'The conversation.';
COMMENT ON COLUMN analytics.healthcare_violations.rule IS 'The rule, as in analytics.healthcare_rules.';
COMMENT ON COLUMN analytics.healthcare_violations.position IS 'The turn, from 1.';
COMMENT ON COLUMN analytics.healthcare_violations.scenario IS 'What the conversation is about.';
COMMENT ON COLUMN analytics.healthcare_violations.model IS 'Model that wrote it.';
COMMENT ON COLUMN analytics.healthcare_violations.text IS 'The words of the turn, personal values masked; NULL where the turn was refused and not kept.';

CREATE VIEW analytics.healthcare_rules AS
SELECT r.rule, r.theme, r.text, r.source, coalesce(v.conversations, 0) AS conversations, coalesce(v.turns, 0) AS turns,
  coalesce(j.rejected, 0) AS rejected, coalesce(t.tries, 0) AS tries, v.last_broken_at
FROM fleet.healthcare_rules r
LEFT JOIN (
  SELECT rule, count(DISTINCT conversation_id) AS conversations, count(*) AS turns, max(created_at) AS last_broken_at
  FROM fleet.healthcare_violations GROUP BY rule
) v USING (rule)
LEFT JOIN (SELECT reason AS rule, count(*) AS rejected FROM fleet.rejections WHERE stage = 'healthcare' GROUP BY reason) j USING (rule)
LEFT JOIN (SELECT reason AS rule, count(*) AS tries FROM fleet.turn_tries GROUP BY reason) t USING (rule);
COMMENT ON VIEW analytics.healthcare_rules IS 'What a call about health care must keep to, with its source, and how often it was broken.';
COMMENT ON COLUMN analytics.healthcare_rules.rule IS 'Its id, and the reason of a rejection.';
COMMENT ON COLUMN analytics.healthcare_rules.theme IS 'identity, clinical, promises, consistency, phases or emergency.';
COMMENT ON COLUMN analytics.healthcare_rules.text IS 'What it says.';
COMMENT ON COLUMN analytics.healthcare_rules.source IS 'What it rests on: a law, a guideline, or a decision of ours.';
COMMENT ON COLUMN analytics.healthcare_rules.conversations IS 'Judged conversations that broke it.';
COMMENT ON COLUMN analytics.healthcare_rules.turns IS 'Turns of them that broke it.';
COMMENT ON COLUMN analytics.healthcare_rules.rejected IS 'Conversations rejected with it as the reason.';
COMMENT ON COLUMN analytics.healthcare_rules.tries IS 'Turns that it refused while they were written.';
COMMENT ON COLUMN analytics.healthcare_rules.last_broken_at IS 'When a judged conversation broke it last; NULL where none did.';
