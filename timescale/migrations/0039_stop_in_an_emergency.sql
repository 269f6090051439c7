-- An emergency stop ends all workers at once, and holds until people resume.
ALTER TABLE fleet.state DROP CONSTRAINT state_state_check;
ALTER TABLE fleet.state ADD CONSTRAINT state_state_check CHECK (state IN ('running', 'paused', 'stopped'));
ALTER TABLE fleet.state ADD COLUMN stopped_at timestamptz;
COMMENT ON CONSTRAINT state_state_check ON fleet.state IS 'paused: what runs is finished; stopped: all workers are ended. Both hold over restarts.';
COMMENT ON COLUMN fleet.state.stopped_at IS 'When the last emergency stop was; NULL: never.';
ALTER TABLE fleet.commands DROP CONSTRAINT commands_verb_check;
ALTER TABLE fleet.commands ADD CONSTRAINT commands_verb_check CHECK (verb IN ('start', 'stop', 'restart', 'drain', 'emergency_stop'));
COMMENT ON CONSTRAINT commands_verb_check ON fleet.commands IS 'emergency_stop is only made by fleet.emergency_stop, for all nodes.';
