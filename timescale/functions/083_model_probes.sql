-- What became of models that people wanted for nodes.
CREATE VIEW analytics.model_probes AS
SELECT p.probe_id, p.node, p.model, p.state, p.author, p.reason, p.requested_at, p.finished_at, p.result FROM fleet.model_probes p;
COMMENT ON VIEW analytics.model_probes IS 'Models that people wanted for a node; each is tried at its server before it is set.';
COMMENT ON COLUMN analytics.model_probes.probe_id IS 'Id of the try.';
COMMENT ON COLUMN analytics.model_probes.node IS 'The node that is to write with it.';
COMMENT ON COLUMN analytics.model_probes.model IS 'The model as the server names it.';
COMMENT ON COLUMN analytics.model_probes.state IS 'requested, set, refused (after a try, or overtaken) or expired (untried).';
COMMENT ON COLUMN analytics.model_probes.author IS 'Who wanted it.';
COMMENT ON COLUMN analytics.model_probes.reason IS 'Why.';
COMMENT ON COLUMN analytics.model_probes.requested_at IS 'Since when.';
COMMENT ON COLUMN analytics.model_probes.finished_at IS 'When it was decided; NULL while it is open.';
COMMENT ON COLUMN analytics.model_probes.result IS 'What the node said of the try.';
