-- What nodes measure of the network between them, and who may measure whom: one agent calls, the other listens.
CREATE TABLE telemetry.peers (
  time timestamptz NOT NULL,
  node text NOT NULL,
  peer text NOT NULL,
  state text NOT NULL CHECK (state IN ('ok', 'unreachable', 'refused', 'timeout', 'broken')),
  round_trip_seconds double precision CHECK (round_trip_seconds >= 0),
  throughput_bytes_per_second double precision CHECK (throughput_bytes_per_second >= 0),
  is_window_limited boolean,
  sent_bytes bigint NOT NULL CHECK (sent_bytes >= 0),
  PRIMARY KEY (node, time, peer)
);
COMMENT ON TABLE telemetry.peers IS 'One row each time that a node called a peer: how long the way there and back takes, and now and then how much goes through.';

INSERT INTO telemetry.levels (table_name, rollup, keys, keep, partition_days) VALUES ('peers', 'peers', '{peer}', '26 hours', 1);
INSERT INTO telemetry.readings (table_name, reading, kind, source, meaning) VALUES
  ('peers', 'round_trip_seconds', 'gauge', 'round_trip_seconds', NULL),
  ('peers', 'throughput_bytes_per_second', 'gauge', 'throughput_bytes_per_second', NULL),
  ('peers', 'sent_bytes_sum', 'sum', 'sent_bytes', 'Bytes sent to measure throughput.'),
  ('peers', 'failed_calls', 'sum', '(state <> ''ok'')::integer', 'Calls that did not get through.');

CREATE TABLE fleet.peer_agents (
  node text PRIMARY KEY REFERENCES fleet.nodes ON DELETE CASCADE,
  address text NOT NULL,
  scope text NOT NULL,
  held_back text,
  secret bytea NOT NULL DEFAULT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
  expires_at timestamptz NOT NULL,
  measuring_until timestamptz NOT NULL DEFAULT '-infinity',
  budget_day date NOT NULL,
  budget_bytes bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE fleet.peer_agents IS 'Node agents that listen for their peers, as they last said themselves.';
COMMENT ON COLUMN fleet.peer_agents.address IS 'host:port at which it listens; never shown in analytics.';
COMMENT ON COLUMN fleet.peer_agents.scope IS 'Empty: every node can reach the address; otherwise only agents that say the same, since it is a loopback one.';
COMMENT ON COLUMN fleet.peer_agents.held_back IS 'Why it takes part in no measuring of throughput now: gaming, work, hot, busy, unknown; NULL: it does.';
COMMENT ON COLUMN fleet.peer_agents.expires_at IS 'Until then others are told of it: it says each round that it listens.';
COMMENT ON COLUMN fleet.peer_agents.secret IS 'What the keys of those who may call it are made from.';
COMMENT ON COLUMN fleet.peer_agents.measuring_until IS 'Until then it is part of a measuring of throughput, and of no second one.';
COMMENT ON COLUMN fleet.peer_agents.budget_bytes IS 'Bytes that it was allowed to send on budget_day (UTC).';

CREATE TABLE fleet.peer_pairs (
  node text NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
  peer text NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
  called_at timestamptz NOT NULL,
  throughput_due_at timestamptz NOT NULL DEFAULT '-infinity',
  measured_at timestamptz,
  state text,
  round_trip_seconds double precision,
  throughput_at timestamptz,
  throughput_bytes_per_second double precision,
  is_window_limited boolean,
  PRIMARY KEY (node, peer)
);
COMMENT ON TABLE fleet.peer_pairs IS 'Each node and each peer that it may call: when it does so again, and what it measured last.';
COMMENT ON COLUMN fleet.peer_pairs.called_at IS 'When the node was last told to call the peer.';
COMMENT ON COLUMN fleet.peer_pairs.throughput_due_at IS 'From then on the throughput may be measured again.';
