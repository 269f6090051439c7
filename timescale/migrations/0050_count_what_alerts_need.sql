-- When another machine said last that it is a node, and what was judged before it was counted by reason and by checks.
ALTER TABLE fleet.nodes ADD COLUMN duplicated_at timestamptz;
COMMENT ON COLUMN fleet.nodes.duplicated_at IS 'When another machine said last that it is this node, and was refused; NULL: never.';

INSERT INTO fleet.node_counters AS c (node, name, labels, value)
SELECT k.judged_by, 'fleet_rejections_total', jsonb_build_object('reason', r.reason), count(*)
FROM fleet.rejections r JOIN fleet.conversations k USING (conversation_id) JOIN fleet.nodes n ON n.node = k.judged_by GROUP BY 1, 3
UNION ALL
SELECT k.judged_by, 'fleet_quality_checks_total', jsonb_build_object('outcome', o.outcome), sum(o.checks)
FROM fleet.grades g JOIN fleet.conversations k USING (conversation_id) JOIN fleet.nodes n ON n.node = k.judged_by,
  LATERAL (VALUES ('passed', g.checks_passed), ('failed', g.checks_total - g.checks_passed)) AS o(outcome, checks) GROUP BY 1, 3;
