-- The newest conversations of a job, and those before and after one of them, are asked for by the page of a job of 100 000.
CREATE INDEX conversations_job_id_created_at_idx ON fleet.conversations (job_id, created_at);
DROP INDEX fleet.conversations_job_id_idx;
COMMENT ON INDEX fleet.conversations_job_id_created_at_idx IS 'The conversations of one job in order.';
