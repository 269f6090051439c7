-- A node's login may write readings of that node only. COPY refuses tables with row-level security, a statement
-- trigger with a transition table costs 12 to 19 % at a tick of twelve rows; a constraint 4 to 6 %.
-- fleet.enroll_node names the login fleet_node_<node>; everybody else who may insert is an owner.
ALTER TABLE telemetry.hardware ADD CONSTRAINT hardware_node_check
  CHECK (session_user = 'fleet_node_' || node OR NOT starts_with(session_user, 'fleet_node_'));
ALTER TABLE telemetry.gpu ADD CONSTRAINT gpu_node_check
  CHECK (session_user = 'fleet_node_' || node OR NOT starts_with(session_user, 'fleet_node_'));
ALTER TABLE telemetry.disks ADD CONSTRAINT disks_node_check
  CHECK (session_user = 'fleet_node_' || node OR NOT starts_with(session_user, 'fleet_node_'));
ALTER TABLE telemetry.temperatures ADD CONSTRAINT temperatures_node_check
  CHECK (session_user = 'fleet_node_' || node OR NOT starts_with(session_user, 'fleet_node_'));
ALTER TABLE telemetry.network ADD CONSTRAINT network_node_check
  CHECK (session_user = 'fleet_node_' || node OR NOT starts_with(session_user, 'fleet_node_'));
ALTER TABLE telemetry.disk_io ADD CONSTRAINT disk_io_node_check
  CHECK (session_user = 'fleet_node_' || node OR NOT starts_with(session_user, 'fleet_node_'));
COMMENT ON CONSTRAINT hardware_node_check ON telemetry.hardware IS 'A node writes readings of itself only.';
COMMENT ON CONSTRAINT gpu_node_check ON telemetry.gpu IS 'A node writes readings of itself only.';
COMMENT ON CONSTRAINT disks_node_check ON telemetry.disks IS 'A node writes readings of itself only.';
COMMENT ON CONSTRAINT temperatures_node_check ON telemetry.temperatures IS 'A node writes readings of itself only.';
COMMENT ON CONSTRAINT network_node_check ON telemetry.network IS 'A node writes readings of itself only.';
COMMENT ON CONSTRAINT disk_io_node_check ON telemetry.disk_io IS 'A node writes readings of itself only.';
