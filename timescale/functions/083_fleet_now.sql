-- What the fleet does now, in words: the first thing that an operator wants to know.
CREATE VIEW analytics.fleet_now AS
WITH work AS (
  SELECT coalesce(sum(o.waiting) FILTER (WHERE NOT o.is_paused), 0)::bigint AS waiting,
    coalesce(sum(o.waiting) FILTER (WHERE o.is_paused), 0)::bigint AS held
  FROM (
    SELECT j.is_paused, coalesce(c.pending, 0) + greatest(0, j.wanted - j.split) AS waiting
    FROM fleet.jobs j LEFT JOIN fleet.job_counts c USING (job_id) WHERE j.state IN ('pending', 'running')) o
), writing AS (
  SELECT t.node, count(*) AS conversations FROM fleet.tasks t WHERE t.state IN ('claimed', 'running') GROUP BY t.node
), machines AS (
  SELECT coalesce(sum(m.conversations), 0)::bigint AS conversations,
    count(*) FILTER (WHERE m.does = 'writing') AS writing, count(*) FILTER (WHERE m.does = 'free') AS free,
    count(*) FILTER (WHERE m.does = 'gaming') AS gaming, count(*) FILTER (WHERE m.does = 'failing') AS failing,
    count(*) FILTER (WHERE m.does = 'stopped') AS stopped, count(*) FILTER (WHERE m.does = 'missing') AS missing,
    count(*) FILTER (WHERE m.does = 'off') AS off
  FROM (
    SELECT w.conversations, CASE WHEN s.state <> 'online' THEN CASE WHEN s.is_expected THEN 'missing' ELSE 'off' END
      WHEN w.conversations > 0 THEN 'writing'
      WHEN n.worker_state IN ('stopped', 'draining') THEN 'stopped'
      WHEN n.llm_circuit_opened_at IS NOT NULL THEN 'failing'
      WHEN s.mode = 'gaming' THEN 'gaming'
      ELSE 'free' END AS does
    FROM fleet.node_standing s JOIN fleet.nodes n USING (node) LEFT JOIN writing w USING (node)) m
), stop AS (
  SELECT count(*) AS told, count(*) FILTER (WHERE e.state = 'done') AS obeyed FROM analytics.emergency_stop e
), now AS (
  SELECT f.changed_at, f.changed_by, f.reason, w.*, m.*, s.*,
    (SELECT coalesce(sum(c.unjudged), 0)::bigint FROM fleet.job_counts c) AS unjudged,
    CASE WHEN f.state = 'stopped' THEN 'stopped'
      WHEN NOT EXISTS (SELECT FROM fleet.leader l WHERE l.lease_until > now()) THEN 'no_master'
      WHEN f.state = 'paused' THEN 'paused'
      WHEN m.conversations > 0 THEN 'writing'
      WHEN w.waiting > 0 THEN 'waiting'
      ELSE 'idle' END AS state
  FROM fleet.state f CROSS JOIN work w CROSS JOIN machines m CROSS JOIN stop s
)
SELECT n.state,
  CASE n.state WHEN 'stopped' THEN 'EMERGENCY STOP' WHEN 'no_master' THEN 'No master' WHEN 'paused' THEN 'Paused by ' || n.changed_by
    WHEN 'writing' THEN 'Writing' WHEN 'waiting' THEN 'Waiting: nobody writes' ELSE 'Idle: nothing to write' END AS headline,
  concat_ws('. ',
    CASE WHEN n.state = 'stopped' THEN format('%s of %s nodes have stopped', n.obeyed, n.told) END,
    'Conversations: ' || concat_ws(', ', n.conversations || ' being written', n.waiting || ' waiting',
      nullif(n.held, 0) || ' in paused jobs', nullif(n.unjudged, 0) || ' to judge'),
    'Nodes: ' || coalesce(nullif(concat_ws(', ', nullif(n.writing, 0) || ' writing', nullif(n.free, 0) || ' free', nullif(n.gaming, 0) || ' gaming',
      nullif(n.failing, 0) || ' whose model server fails', nullif(n.stopped, 0) || ' told to stop',
      nullif(n.missing, 0) || ' missing', nullif(n.off, 0) || ' off on purpose'), ''), 'none')) AS explanation,
  n.conversations AS conversations_writing, n.waiting AS conversations_waiting, n.held AS conversations_held,
  n.unjudged AS conversations_unjudged, n.writing AS nodes_writing, n.changed_at, n.changed_by, n.reason
FROM now n;
COMMENT ON VIEW analytics.fleet_now IS 'One row: what the fleet does now, in words.';
COMMENT ON COLUMN analytics.fleet_now.state IS
  'The first that holds: stopped (in an emergency), no_master (nobody leads), paused, writing, waiting (there is work, but nobody writes), idle (there is none).';
COMMENT ON COLUMN analytics.fleet_now.headline IS 'The same for people, such as: Paused by ada.';
COMMENT ON COLUMN analytics.fleet_now.explanation IS 'Who writes how much, what waits, and what keeps the other machines from writing.';
COMMENT ON COLUMN analytics.fleet_now.conversations_writing IS 'Conversations that machines have claimed or write.';
COMMENT ON COLUMN analytics.fleet_now.conversations_waiting IS 'Conversations of open jobs that no machine has claimed; without paused jobs.';
COMMENT ON COLUMN analytics.fleet_now.conversations_held IS 'The same of paused jobs.';
COMMENT ON COLUMN analytics.fleet_now.conversations_unjudged IS 'Written conversations that wait for their verdict.';
COMMENT ON COLUMN analytics.fleet_now.nodes_writing IS 'Online machines that have claimed or write a conversation.';
COMMENT ON COLUMN analytics.fleet_now.changed_at IS 'When people last paused, resumed or stopped the fleet.';
COMMENT ON COLUMN analytics.fleet_now.changed_by IS 'Who did.';
COMMENT ON COLUMN analytics.fleet_now.reason IS 'Why they did.';
