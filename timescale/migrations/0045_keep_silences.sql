-- Who muted which alerts, why and until when: Alertmanager knows no callers and forgets ended silences after days.
CREATE TABLE control.silences (
  silence_id uuid PRIMARY KEY,
  matchers jsonb NOT NULL CHECK (jsonb_typeof(matchers) = 'array'),
  owner text NOT NULL,
  reason text NOT NULL,
  alert_id bigint REFERENCES control.alerts ON DELETE SET NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL CHECK (ends_at >= starts_at),
  ended_at timestamptz,
  ended_by text,
  end_reason text,
  CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX silences_starts_at_idx ON control.silences (starts_at, silence_id);
CREATE INDEX silences_alert_id_idx ON control.silences (alert_id) WHERE alert_id IS NOT NULL;
COMMENT ON TABLE control.silences IS 'Each silence that was set at Alertmanager, as Alertmanager took it.';
COMMENT ON COLUMN control.silences.silence_id IS 'Its number at Alertmanager.';
COMMENT ON COLUMN control.silences.matchers IS 'A list of {name, value, isRegex, isEqual}, as Alertmanager writes them; an alert that fulfils all is muted.';
COMMENT ON COLUMN control.silences.owner IS 'Who set it.';
COMMENT ON COLUMN control.silences.alert_id IS 'The alert that it was set for, when it was set for one.';
COMMENT ON COLUMN control.silences.ends_at IS 'Until when it was meant to last.';
COMMENT ON COLUMN control.silences.ended_at IS 'When somebody ended it before that; NULL: nobody did.';
