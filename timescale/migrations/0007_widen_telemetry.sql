-- What sensors tell beyond the first readings; NULL in older rows and where a machine cannot tell.
ALTER TABLE telemetry.hardware
  ADD COLUMN load_5m double precision,
  ADD COLUMN load_15m double precision,
  ADD COLUMN swap_total_bytes bigint,
  ADD COLUMN power_watts double precision,
  ADD COLUMN clock_offset_seconds double precision;
COMMENT ON COLUMN telemetry.hardware.power_watts IS 'Power of the CPU packages, or of the whole board where it is measured.';
COMMENT ON COLUMN telemetry.hardware.clock_offset_seconds IS 'How far the clock of the machine is ahead of this database.';
ALTER TABLE telemetry.gpu
  ADD COLUMN slowdown_temperature_celsius double precision,
  ADD COLUMN temperature_margin_celsius double precision,
  ADD COLUMN power_limit_watts double precision,
  ADD COLUMN energy_joules_total double precision,
  ADD COLUMN clock_hertz double precision,
  ADD COLUMN memory_clock_hertz double precision,
  ADD COLUMN fan_ratio double precision,
  ADD COLUMN is_up boolean;
COMMENT ON COLUMN telemetry.gpu.temperature_margin_celsius IS 'How far the GPU is below the temperature at which it slows itself down.';
COMMENT ON COLUMN telemetry.gpu.is_up IS 'False while the GPU is lost; its other columns are NULL then.';
ALTER TABLE telemetry.network
  ADD COLUMN receive_errors_total bigint,
  ADD COLUMN transmit_errors_total bigint,
  ADD COLUMN receive_drops_total bigint,
  ADD COLUMN transmit_drops_total bigint,
  ADD COLUMN speed_bytes_per_second double precision;
COMMENT ON COLUMN telemetry.network.speed_bytes_per_second IS 'Speed of the link; NULL where the driver knows none.';
CREATE TABLE telemetry.disk_io (
  time timestamptz NOT NULL,
  node text NOT NULL,
  device text NOT NULL,
  read_bytes_total bigint NOT NULL,
  written_bytes_total bigint NOT NULL,
  reads_total bigint NOT NULL,
  writes_total bigint NOT NULL,
  busy_seconds_total double precision,
  PRIMARY KEY (node, time, device)
);
COMMENT ON TABLE telemetry.disk_io IS 'What each drive has done since boot, each tick.';
