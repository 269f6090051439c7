-- A claim walks the open jobs and takes the first claimable task of each; people order, hold and repeat jobs, and say what machines they are for.
ALTER TABLE fleet.tasks ADD COLUMN place integer;
UPDATE fleet.tasks SET place = position;
ALTER TABLE fleet.tasks ALTER COLUMN place SET NOT NULL;
ALTER TABLE fleet.tasks ADD COLUMN forgiven_attempt integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN fleet.tasks.place IS 'Order of claims within its job: its position, until it is retried and goes behind the others.';
COMMENT ON COLUMN fleet.tasks.forgiven_attempt IS 'Failures of attempts up to this one no longer count: a person has had it tried again.';
DROP INDEX fleet.tasks_pending;
CREATE INDEX tasks_pending ON fleet.tasks (job_id, place) WHERE state = 'pending';
COMMENT ON INDEX fleet.tasks_pending IS 'The first claimable task of each job.';

ALTER TABLE fleet.jobs ALTER COLUMN rank DROP IDENTITY;
ALTER TABLE fleet.jobs ALTER COLUMN rank SET DEFAULT 0;
UPDATE fleet.jobs SET rank = 0;
ALTER TABLE fleet.jobs
  ADD COLUMN place_offset bigint NOT NULL DEFAULT 0,
  ADD COLUMN model text CHECK (model <> ''),
  ADD COLUMN node_class text CHECK (node_class ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
  ADD COLUMN vram_bytes_min bigint CHECK (vram_bytes_min > 0);
UPDATE fleet.jobs j SET place_offset = -coalesce((
  SELECT min(t.place) FROM fleet.tasks t WHERE t.job_id = j.job_id AND t.state = 'pending'), j.split + 1)
WHERE j.state IN ('pending', 'running');
COMMENT ON COLUMN fleet.jobs.rank IS
  'Order within a priority, lower is first; jobs of one priority and rank share the machines. 0 until a person moves it.';
COMMENT ON COLUMN fleet.jobs.place_offset IS
  'Added to the places of its tasks to compare them with those of jobs that it shares with: fair from where it joined them.';
COMMENT ON COLUMN fleet.jobs.model IS 'Only for machines whose model server has this model; NULL: any.';
COMMENT ON COLUMN fleet.jobs.node_class IS 'Only for machines of this class; NULL: any.';
COMMENT ON COLUMN fleet.jobs.vram_bytes_min IS 'Only for machines with one GPU of at least so much memory; NULL: any.';
DROP INDEX fleet.jobs_open;
CREATE INDEX jobs_open ON fleet.jobs (priority DESC, rank, created_at) WHERE state IN ('pending', 'running');
COMMENT ON INDEX fleet.jobs_open IS 'Open jobs in the order of the queue.';

ALTER TABLE fleet.nodes
  ADD COLUMN given_class text CHECK (given_class ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
  ADD COLUMN vram_bytes bigint CHECK (vram_bytes >= 0);
ALTER TABLE fleet.nodes
  ADD COLUMN node_class text NOT NULL GENERATED ALWAYS AS (
    coalesce(given_class, CASE WHEN vram_bytes > 0 THEN 'gpu' ELSE 'cpu' END)) STORED;
COMMENT ON COLUMN fleet.nodes.given_class IS 'What kind of machine it is, as people call it; NULL: by what it has.';
COMMENT ON COLUMN fleet.nodes.vram_bytes IS 'Memory of its largest GPU, from the readings at its heartbeats; NULL without one.';
COMMENT ON COLUMN fleet.nodes.node_class IS 'What jobs ask for: the given class, else gpu or cpu.';
