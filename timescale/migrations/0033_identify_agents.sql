-- Which process speaks for a node: a copied disk has the identity of the machine that it was copied from.
ALTER TABLE fleet.nodes
  ADD COLUMN machine text,
  ADD COLUMN machine_host text,
  ADD COLUMN machine_seen_at timestamptz;
COMMENT ON COLUMN fleet.nodes.machine IS 'Fingerprint of boot, host name and folder of the agent that holds the node.';
COMMENT ON COLUMN fleet.nodes.machine_host IS 'Host name that this agent told.';
COMMENT ON COLUMN fleet.nodes.machine_seen_at IS 'When it last held the node; another machine may take over only some heartbeats later.';
