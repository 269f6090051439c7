-- Who leads stands in a row of its own: the upkeep locks it, and whoever pauses or stops the fleet must not wait for upkeep.
CREATE TABLE fleet.leader (
  is_singleton boolean PRIMARY KEY DEFAULT true CHECK (is_singleton),
  master_id uuid,
  epoch bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  leading_since timestamptz,
  failed_over_at timestamptz
) WITH (fillfactor = 20);
INSERT INTO fleet.leader (master_id, epoch, lease_until) SELECT leader_id, leader_epoch, leader_until FROM fleet.state;
ALTER TABLE fleet.state DROP COLUMN leader_id, DROP COLUMN leader_epoch, DROP COLUMN leader_until;
COMMENT ON TABLE fleet.leader IS 'One row: which master leads, until when. Each of its writes locks the row and is refused when another one leads.';
COMMENT ON COLUMN fleet.leader.master_id IS 'The master that leads until lease_until; NULL once it has given the lead up.';
COMMENT ON COLUMN fleet.leader.epoch IS 'The term: raised at each change of the leader.';
COMMENT ON COLUMN fleet.leader.failed_over_at IS 'When a master took over last from one that had not renewed its lease; NULL: never.';

CREATE TABLE fleet.master_rounds (
  round_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  time timestamptz NOT NULL DEFAULT clock_timestamp(),
  epoch bigint NOT NULL,
  sentence text NOT NULL
);
COMMENT ON TABLE fleet.master_rounds IS 'What the master did in its last rounds, a sentence each; of rounds without anything to do there is none.';

-- When a machine is switched off on purpose, again and again.
CREATE TABLE fleet.node_calendar (
  node text NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
  position integer NOT NULL,
  weekdays integer[] NOT NULL CHECK (cardinality(weekdays) > 0 AND weekdays <@ '{1,2,3,4,5,6,7}'),
  off_from time NOT NULL,
  off_to time NOT NULL,
  time_zone text NOT NULL,
  PRIMARY KEY (node, position)
);
COMMENT ON TABLE fleet.node_calendar IS 'Times at which a machine is off on purpose, week by week.';
COMMENT ON COLUMN fleet.node_calendar.weekdays IS 'Days on which such a time begins: 1 is Monday, 7 is Sunday.';
COMMENT ON COLUMN fleet.node_calendar.off_to IS 'Its end; where that is not after off_from, on the next day.';

ALTER TABLE fleet.nodes
  ADD COLUMN is_off boolean NOT NULL DEFAULT false,
  ADD COLUMN noted_state text CHECK (noted_state IN ('online', 'stale', 'offline')),
  ADD COLUMN noted_at timestamptz;
COMMENT ON COLUMN fleet.nodes.is_off IS 'By its calendar it is off on purpose now, as the master noted last.';
COMMENT ON COLUMN fleet.nodes.noted_state IS 'The state that the master told last; NULL: none yet.';
COMMENT ON COLUMN fleet.nodes.noted_at IS 'When it told it.';
