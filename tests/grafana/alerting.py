"""
What the dashboard "Alerts" shows.

The CPU of alpha was hot two hours ago: Ada took it on after a minute, it lasted four. Its GPU is
hot since an hour and silenced by Ada. The fleet has been slow for half an hour; nobody was told.
"""

from __future__ import annotations

ROWS = """
INSERT INTO control.alerts (labels, summary, started_at, notified_at, ended_at, receivers,
  evaluated_at)
VALUES
  ('{"alertname": "CpuHot", "severity": "critical", "node": "alpha"}', 'A CPU is too hot.',
    now() - interval '2 hours', now() - interval '2 hours', now() - interval '116 minutes',
    '{critical-mail,critical-sms}', now()),
  ('{"alertname": "GpuHot", "severity": "critical", "node": "alpha", "gpu": "0"}',
    'A GPU is too hot.', now() - interval '1 hour', now() - interval '1 hour', NULL,
    '{critical-mail}', now()),
  ('{"alertname": "YieldLow", "severity": "warning"}', 'Too few are kept.',
    now() - interval '30 minutes', NULL, NULL, '{}', now()),
  ('{"alertname": "Watchdog", "severity": "none"}', 'Alerts are evaluated.',
    now() - interval '3 hours', now() - interval '3 hours', NULL, '{heartbeat}', now());
INSERT INTO control.alert_deliveries (alert_id, time, receiver, status)
SELECT a.alert_id, a.started_at, r.receiver, 'firing' FROM control.alerts a, unnest(a.receivers) r(receiver)
UNION ALL
SELECT a.alert_id, a.ended_at, r.receiver, 'resolved' FROM control.alerts a, unnest(a.receivers) r(receiver)
WHERE a.ended_at IS NOT NULL;
INSERT INTO control.alert_notes (alert_id, time, kind, author, comment)
SELECT alert_id, started_at + interval '1 minute', 'acknowledgement', 'ada', 'cleaning the filter'
FROM control.alerts WHERE labels ->> 'alertname' = 'CpuHot';
INSERT INTO control.silences (silence_id, matchers, owner, reason, alert_id, starts_at, ends_at)
SELECT gen_random_uuid(), '[{"name": "alertname", "value": "GpuHot", "isRegex": false,
    "isEqual": true}, {"name": "node", "value": "alpha", "isRegex": false, "isEqual": true}]',
  'ada', 'new paste is ordered', alert_id, now() - interval '10 minutes', now() + interval '1 hour'
FROM control.alerts WHERE labels ->> 'alertname' = 'GpuHot';
"""  # noqa: E501 - one line a row


def put_rows(owner):
    """Three alerts, the Watchdog, their deliveries, a note, and a silence."""
    owner.execute(ROWS)
