"""What the dashboard "Node" shows of alpha, beyond what all others do: its page, and its rows."""

from __future__ import annotations

from fix_control import unaudited

PAGE = """\
fleet_swap_used_bytes 1e9
fleet_swap_total_bytes 4e9
fleet_temperature_celsius{{sensor="nvme"}} 75
fleet_power_watts 65
fleet_gpu_power_watts{{gpu="0"}} 150
fleet_gpu_power_limit_watts{{gpu="0"}} 170
fleet_gpu_clock_hertz{{gpu="0"}} 1.8e9
fleet_gpu_throttle_seconds_total{{gpu="0",reason="power_cap"}} {tokens}
fleet_pi_throttled{{reason="under_voltage"}} 1
fleet_pi_throttled{{reason="throttled"}} 0
fleet_pi_throttled_since_boot{{reason="under_voltage"}} 1
fleet_pi_throttled_since_boot{{reason="throttled"}} 0
fleet_pi_throttled_seconds_total{{reason="under_voltage"}} {tokens}
fleet_pi_throttled_seconds_total{{reason="throttled"}} 0
fleet_activity_mode{{mode="idle"}} 0
fleet_activity_mode{{mode="work"}} 0
fleet_activity_mode{{mode="throttling"}} 1
fleet_activity_mode{{mode="gaming"}} 0
fleet_throttle_factor 0.5
fleet_throttle_limit{{limit="heat"}} 1
fleet_throttle_limit{{limit="gaming"}} 0
fleet_collector_up{{collector="cpu"}} 1
fleet_collector_up{{collector="gpu"}} 0
fleet_collector_duration_seconds{{collector="cpu"}} 0.002
fleet_collector_duration_seconds{{collector="gpu"}} 0.5
fleet_clock_offset_seconds 0.01
fleet_ingest_lag_seconds 1
fleet_spool_rows 0
fleet_spool_oldest_seconds 0
fleet_llm_time_to_first_token_seconds_bucket{{model="tiny",le="0.5"}} {tokens}
fleet_llm_time_to_first_token_seconds_bucket{{model="tiny",le="+Inf"}} {tokens}
fleet_llm_request_duration_seconds_bucket{{model="tiny",le="10"}} {tokens}
fleet_llm_request_duration_seconds_bucket{{model="tiny",le="+Inf"}} {tokens}
"""

# The disk of alpha loses a gibibyte an hour, for two hours; 40 of 100 are left.
ROWS = """
INSERT INTO telemetry.disks (time, node, mount, free_bytes, total_bytes)
VALUES (now(), 'alpha', '/', 40 * 2^30, 100 * 2^30);
INSERT INTO telemetry.disks_1m (time, node, mount, samples, free_bytes_avg)
SELECT now() - n * interval '1 minute', 'alpha', '/', 12, (40 + n / 60.0) * 2^30
FROM generate_series(1, 120) n;
INSERT INTO telemetry.hardware_1m (time, node, samples, cpu_temperature_celsius_max)
VALUES (date_trunc('minute', now()) - interval '5 minutes', 'alpha', 12, 81);
INSERT INTO telemetry.gpu_1m (time, node, gpu, samples, temperature_celsius_max)
VALUES (date_trunc('minute', now()) - interval '5 minutes', 'alpha', '0', 12, 66);
INSERT INTO fleet.peer_pairs (node, peer, called_at, measured_at, state, round_trip_seconds,
  throughput_bytes_per_second)
VALUES ('alpha', 'beta', now(), now(), 'ok', 0.002, 6e6),
  ('beta', 'alpha', now(), now(), 'ok', 0.002, 20e6);
"""


def put_rows(owner, alpha):
    """Give alpha a disk that fills, minutes, a peer, a model server, and a command it obeyed."""
    owner.execute(ROWS)
    alpha.execute("SELECT fleet.report_endpoint('llama_cpp', 'tiny', 'ready', 2, 4096, '{tiny}')")
    with unaudited(owner):
        command = owner.execute(
            "SELECT fleet.request_command('alpha', 'restart', 'ada', 'new driver') AS id"
        ).fetchone()["id"]
    alpha.execute("SELECT fleet.acknowledge_command(%s)", [command])
    alpha.execute("SELECT fleet.finish_command(%s, 'done', 'the worker runs again')", [command])
