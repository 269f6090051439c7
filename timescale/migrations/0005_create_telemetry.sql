-- One row per reading; the unique key makes a re-sent batch harmless.
CREATE TABLE telemetry.hardware (
  time timestamptz NOT NULL,
  node text NOT NULL,
  cpu_utilization_ratio double precision,
  cpu_temperature_celsius double precision,
  cpu_frequency_hertz double precision,
  load_1m double precision,
  memory_used_bytes bigint,
  memory_total_bytes bigint,
  swap_used_bytes bigint,
  mode text,
  throttle_factor double precision,
  PRIMARY KEY (node, time)
);
COMMENT ON TABLE telemetry.hardware IS 'The machine as a whole, each tick; NULL where the machine has no such sensor.';
CREATE TABLE telemetry.gpu (
  time timestamptz NOT NULL,
  node text NOT NULL,
  gpu text NOT NULL,
  name text,
  utilization_ratio double precision,
  temperature_celsius double precision,
  memory_used_bytes bigint,
  memory_total_bytes bigint,
  power_watts double precision,
  PRIMARY KEY (node, time, gpu)
);
COMMENT ON TABLE telemetry.gpu IS 'Each GPU, each tick; no row where there is no GPU.';
CREATE TABLE telemetry.disks (
  time timestamptz NOT NULL,
  node text NOT NULL,
  mount text NOT NULL,
  free_bytes bigint NOT NULL,
  total_bytes bigint NOT NULL,
  PRIMARY KEY (node, time, mount)
);
COMMENT ON TABLE telemetry.disks IS 'Each real mount, each tick.';
CREATE TABLE telemetry.temperatures (
  time timestamptz NOT NULL,
  node text NOT NULL,
  sensor text NOT NULL,
  temperature_celsius double precision NOT NULL,
  PRIMARY KEY (node, time, sensor)
);
COMMENT ON TABLE telemetry.temperatures IS 'Each temperature sensor, each tick.';
CREATE TABLE telemetry.network (
  time timestamptz NOT NULL,
  node text NOT NULL,
  device text NOT NULL,
  receive_bytes_total bigint NOT NULL,
  transmit_bytes_total bigint NOT NULL,
  PRIMARY KEY (node, time, device)
);
COMMENT ON TABLE telemetry.network IS 'Byte counters of each network device, each tick.';
CREATE TABLE telemetry.llm_requests (
  time timestamptz NOT NULL DEFAULT clock_timestamp(),
  node text NOT NULL,
  request_id uuid NOT NULL,
  task_id uuid,
  model text NOT NULL,
  prompt_tokens bigint NOT NULL CHECK (prompt_tokens >= 0),
  completion_tokens bigint NOT NULL CHECK (completion_tokens >= 0),
  duration_seconds double precision NOT NULL CHECK (duration_seconds >= 0),
  time_to_first_token_seconds double precision,
  outcome text NOT NULL CHECK (outcome IN ('ok', 'invalid', 'aborted', 'error')),
  PRIMARY KEY (node, time, request_id)
);
CREATE UNIQUE INDEX llm_requests_request_id_key ON telemetry.llm_requests (request_id, time);
CREATE INDEX llm_requests_time_idx ON telemetry.llm_requests (time);
CREATE INDEX llm_requests_task_id_idx ON telemetry.llm_requests (task_id);
COMMENT ON TABLE telemetry.llm_requests IS 'Each call to a model server as the worker measured it, failed ones included.';
CREATE TABLE telemetry.events (
  time timestamptz NOT NULL DEFAULT clock_timestamp(),
  node text,
  event_id uuid NOT NULL DEFAULT gen_random_uuid(),
  severity text NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
  kind text NOT NULL,
  message text NOT NULL,
  PRIMARY KEY (time, event_id)
);
COMMENT ON TABLE telemetry.events IS 'What happened to nodes, jobs and the fleet, in words.';
