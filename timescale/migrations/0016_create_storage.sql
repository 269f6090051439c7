-- What the levels take is measured each hour: readers of analytics may not call what measures it.
CREATE TABLE telemetry.storage (
  table_name text NOT NULL,
  level text NOT NULL CHECK (level IN ('raw', 'minute', 'hour')),
  keep interval,
  bytes bigint NOT NULL,
  saved_bytes bigint NOT NULL,
  rows bigint NOT NULL,
  days double precision,
  rows_per_day double precision,
  month_bytes bigint,
  full_bytes bigint,
  next_drop_at timestamptz,
  next_drop_bytes bigint,
  measured_at timestamptz NOT NULL,
  PRIMARY KEY (table_name, level)
);
COMMENT ON TABLE telemetry.storage IS 'What each level of each table by time took when it was measured last; analytics.storage describes the columns.';
