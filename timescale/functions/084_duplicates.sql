-- What the search for copies looked at and found.
CREATE VIEW analytics.duplicates AS
SELECT date_trunc('day', g.created_at, 'UTC') AS day, t.stage, c.scenario, c.model, count(*) AS conversations,
  count(r.conversation_id) AS duplicates, count(r.conversation_id)::double precision / count(*) AS duplicate_ratio,
  avg(r.similarity) AS similarity_avg
FROM fleet.grades g JOIN fleet.conversations c USING (conversation_id) CROSS JOIN LATERAL unnest(g.duplicate_stages) AS t (stage)
LEFT JOIN fleet.rejections r ON r.conversation_id = g.conversation_id
  AND r.reason = CASE t.stage WHEN 'minhash' THEN 'near_duplicate' ELSE t.stage || '_duplicate' END
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW analytics.duplicates IS 'Rates of copies among the conversations that passed the checks, by day, stage, scenario and model.';
COMMENT ON COLUMN analytics.duplicates.day IS 'Day of the verdict, of UTC: its beginning.';
COMMENT ON COLUMN analytics.duplicates.stage IS 'exact (same words), minhash (nearly the same words) or example (those of the worked example); each sees what the ones before let pass.';
COMMENT ON COLUMN analytics.duplicates.scenario IS 'What the conversations are about.';
COMMENT ON COLUMN analytics.duplicates.model IS 'Model that wrote them.';
COMMENT ON COLUMN analytics.duplicates.conversations IS 'Conversations that the stage looked at.';
COMMENT ON COLUMN analytics.duplicates.duplicates IS 'Those of them that it rejected.';
COMMENT ON COLUMN analytics.duplicates.duplicate_ratio IS 'Their share.';
COMMENT ON COLUMN analytics.duplicates.similarity_avg IS 'Mean similarity of those rejected, 0 to 1; NULL where none was.';
