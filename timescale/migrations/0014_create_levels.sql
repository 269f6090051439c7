-- What is kept of each table by time, and for how long; functions/005_levels.sql and engines/*.sql act on it.
CREATE TABLE telemetry.engine (
  is_singleton boolean PRIMARY KEY DEFAULT true CHECK (is_singleton),
  engine text NOT NULL CHECK (engine IN ('timescaledb', 'postgresql')),
  chosen_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE telemetry.engine IS 'One row: what stores the tables by time. Chosen at the first migration, kept for the life of the database.';

CREATE TABLE telemetry.levels (
  table_name text PRIMARY KEY,
  rollup text UNIQUE,
  keys text[] NOT NULL DEFAULT '{}',
  keep interval NOT NULL,
  partition_days integer NOT NULL CHECK (partition_days > 0),
  filled_at timestamptz
);
COMMENT ON TABLE telemetry.levels IS 'Each table by time of this schema: how long its rows stay, and what they are rolled up to.';
COMMENT ON COLUMN telemetry.levels.rollup IS 'Rows are rolled up to telemetry.<rollup>_1m (kept 30 days) and _1h (kept); NULL: to nothing.';
COMMENT ON COLUMN telemetry.levels.keys IS 'What tells rows of one node and time apart, such as gpu; the rollups are by it too.';
COMMENT ON COLUMN telemetry.levels.keep IS 'How long a row can be read; it is removed with its partition or chunk some time after.';
COMMENT ON COLUMN telemetry.levels.partition_days IS 'Days in one partition or chunk; TimescaleDB cuts what is kept for hours finer.';
COMMENT ON COLUMN telemetry.levels.filled_at IS 'When the rollups were first filled from the rows that were there; NULL: that is still to be done.';

CREATE TABLE telemetry.readings (
  table_name text NOT NULL REFERENCES telemetry.levels,
  reading text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('gauge', 'counter', 'sum')),
  source text NOT NULL,
  meaning text,
  position integer GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (table_name, reading)
);
COMMENT ON TABLE telemetry.readings IS 'Columns of the rollups, in the order of position.';
COMMENT ON COLUMN telemetry.readings.reading IS 'Begins the names of its columns: <reading>_avg, _min, _max; a sum has this very name.';
COMMENT ON COLUMN telemetry.readings.kind IS
  'gauge: a value as it is; counter: rises, is told as its rate a second, falls only at a restart; sum: values are added up.';
COMMENT ON COLUMN telemetry.readings.source IS 'SQL expression over a row of the table.';
COMMENT ON COLUMN telemetry.readings.meaning IS 'For the comments of its columns; NULL: what analytics says of the column that is the source.';

INSERT INTO telemetry.levels (table_name, rollup, keys, keep, partition_days) VALUES
  ('hardware', 'hardware', '{}', '26 hours', 1),
  ('gpu', 'gpu', '{gpu}', '26 hours', 1),
  ('disks', 'disks', '{mount}', '26 hours', 1),
  ('disk_io', 'disk_io', '{device}', '26 hours', 1),
  ('temperatures', 'temperatures', '{sensor}', '26 hours', 1),
  ('network', 'network', '{device}', '26 hours', 1),
  ('llm_requests', 'generation', '{model}', '30 days', 1),
  ('events', NULL, '{}', '400 days', 30);

INSERT INTO telemetry.readings (table_name, reading, kind, source)
SELECT t.table_name, r.reading, 'gauge', r.reading FROM (VALUES
  ('hardware', '{cpu_utilization_ratio,cpu_temperature_celsius,cpu_frequency_hertz,load_1m,load_5m,load_15m,memory_used_bytes,memory_total_bytes,swap_used_bytes,swap_total_bytes,throttle_factor,power_watts,clock_offset_seconds}'::text[]),
  ('gpu', '{utilization_ratio,temperature_celsius,slowdown_temperature_celsius,temperature_margin_celsius,memory_used_bytes,memory_total_bytes,power_watts,power_limit_watts,clock_hertz,memory_clock_hertz,fan_ratio}'),
  ('disks', '{free_bytes,total_bytes}'),
  ('temperatures', '{temperature_celsius}'),
  ('network', '{speed_bytes_per_second}'),
  ('llm_requests', '{duration_seconds,time_to_first_token_seconds,prompt_tokens,cached_prompt_tokens,completion_tokens}')
) AS t(table_name, readings), unnest(t.readings) WITH ORDINALITY AS r(reading, place)
ORDER BY t.table_name, r.place;
INSERT INTO telemetry.readings (table_name, reading, kind, source, meaning) VALUES
  ('gpu', 'energy_joules_per_second', 'counter', 'energy_joules_total', 'Power by the energy counter of the GPU, watts.'),
  ('network', 'receive_bytes_per_second', 'counter', 'receive_bytes_total', 'Bytes received a second.'),
  ('network', 'transmit_bytes_per_second', 'counter', 'transmit_bytes_total', 'Bytes sent a second.'),
  ('network', 'receive_errors_per_second', 'counter', 'receive_errors_total', 'Packets that came in broken, a second.'),
  ('network', 'transmit_errors_per_second', 'counter', 'transmit_errors_total', 'Packets that could not be sent, a second.'),
  ('network', 'receive_drops_per_second', 'counter', 'receive_drops_total', 'Packets that came in and were thrown away, a second.'),
  ('network', 'transmit_drops_per_second', 'counter', 'transmit_drops_total', 'Packets thrown away before they were sent, a second.'),
  ('disk_io', 'read_bytes_per_second', 'counter', 'read_bytes_total', 'Bytes read a second.'),
  ('disk_io', 'written_bytes_per_second', 'counter', 'written_bytes_total', 'Bytes written a second.'),
  ('disk_io', 'reads_per_second', 'counter', 'reads_total', 'Reads a second.'),
  ('disk_io', 'writes_per_second', 'counter', 'writes_total', 'Writes a second.'),
  ('disk_io', 'busy_ratio', 'counter', 'busy_seconds_total', 'Share of the time in which the drive had something to do, 0 to 1.'),
  ('llm_requests', 'tokens_per_second', 'gauge',
    'CASE WHEN outcome = ''ok'' THEN completion_tokens / nullif(duration_seconds, 0) END',
    'Completion tokens a second of one call, its wait for the first token included; calls that succeeded only.'),
  ('llm_requests', 'prompt_tokens_sum', 'sum', 'prompt_tokens', 'Tokens of all prompts, as far as the server told.'),
  ('llm_requests', 'cached_prompt_tokens_sum', 'sum', 'cached_prompt_tokens', 'Tokens of prompts that the server had kept, as far as it told.'),
  ('llm_requests', 'completion_tokens_sum', 'sum', 'completion_tokens', 'Tokens of all answers.'),
  ('llm_requests', 'ok_requests', 'sum', '(outcome = ''ok'')::integer', 'Calls that gave what was asked for.'),
  ('llm_requests', 'invalid_requests', 'sum', '(outcome = ''invalid'')::integer', 'Calls whose answer was not the conversation asked for.'),
  ('llm_requests', 'aborted_requests', 'sum', '(outcome = ''aborted'')::integer', 'Calls that we broke off.'),
  ('llm_requests', 'error_requests', 'sum', '(outcome = ''error'')::integer', 'Calls that the server failed.');

-- analytics.quality_1h asks for conversations by the hour in which they were judged.
CREATE INDEX conversations_judged_hour_idx ON fleet.conversations
  (date_bin('1 hour', judged_at, '2000-01-01 00:00:00+00')) WHERE judged_at IS NOT NULL;
COMMENT ON INDEX fleet.conversations_judged_hour_idx IS 'Quality by hour reads the hours that it is asked for.';
