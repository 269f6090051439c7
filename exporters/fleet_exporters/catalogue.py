"""
Every metric of a node, declared once: name, kind, labels, what values are possible, help.

The page takes HELP and TYPE from here, the sampler its bounds, tests the README's table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]

Bounds = tuple[float, float]
COUNT: Bounds = (0, math.inf)
RATIO: Bounds = (0, 1)
CELSIUS: Bounds = (-40, 150)  # outside is a driver's way to say "no value", such as -273.15 or 255
MARGIN: Bounds = (-150, 150)  # celsius; negative when the device is too hot
FAN: Bounds = (0, 2)  # makers allow more than the nominal full speed
ANY: Bounds = (-math.inf, math.inf)

HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")


@dataclass(frozen=True)
class MetricSpec:
    """One metric; `labels` without `node`, which is a label of the scrape target."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    bounds: Bounds
    help: str


_NODE = (
    MetricSpec("fleet_node_info", "gauge", ("os", "cpu_model", "machine", "version"), RATIO,
               "Always 1; what this machine is (platform, py-cpuinfo)."),
    MetricSpec("fleet_cpu_seconds_total", "counter", ("mode",), COUNT,
               "CPU time of all processors by what they did; guests are in user (cpu_times)."),
    MetricSpec("fleet_cpu_utilization_ratio", "gauge", (), RATIO,
               "Busy share of all CPU time since the last tick (psutil.cpu_times)."),
    MetricSpec("fleet_cpu_frequency_hertz", "gauge", (), COUNT,
               "Mean clock of the CPU's frequency domains (cpufreq scaling_cur_freq)."),
    MetricSpec("fleet_cpu_temperature_celsius", "gauge", ("sensor",), CELSIUS,
               "Temperature of the CPU package by the driver's best sensor (hwmon)."),
    MetricSpec("fleet_load_1m", "gauge", (), COUNT,
               "Runnable and waiting tasks, one-minute average (getloadavg)."),
    MetricSpec("fleet_load_5m", "gauge", (), COUNT,
               "Runnable and waiting tasks, five-minute average (getloadavg)."),
    MetricSpec("fleet_load_15m", "gauge", (), COUNT,
               "Runnable and waiting tasks, fifteen-minute average (getloadavg)."),
    MetricSpec("fleet_memory_used_bytes", "gauge", (), COUNT,
               "Memory that cannot be given to programs without swapping (psutil.virtual_memory)."),
    MetricSpec("fleet_memory_total_bytes", "gauge", (), COUNT,
               "Physical memory (psutil.virtual_memory)."),
    MetricSpec("fleet_swap_used_bytes", "gauge", (), COUNT,
               "Swap in use; absent without swap (psutil.swap_memory)."),
    MetricSpec("fleet_swap_total_bytes", "gauge", (), COUNT,
               "Size of the swap space; absent without swap (psutil.swap_memory)."),
    MetricSpec("fleet_disk_free_bytes", "gauge", ("mount",), COUNT,
               "Space that unprivileged users can still fill (statvfs f_bavail)."),
    MetricSpec("fleet_disk_total_bytes", "gauge", ("mount",), COUNT,
               "Size of the file system (statvfs f_blocks)."),
    MetricSpec("fleet_model_disk_free_bytes", "gauge", (), COUNT,
               "The same on the file system that holds the model; absent where its server is not "
               "ours (statvfs)."),
    MetricSpec("fleet_disk_read_bytes_total", "counter", ("device",), COUNT,
               "Bytes read from the drive since boot (psutil.disk_io_counters)."),
    MetricSpec("fleet_disk_written_bytes_total", "counter", ("device",), COUNT,
               "Bytes written to the drive since boot (psutil.disk_io_counters)."),
    MetricSpec("fleet_disk_reads_total", "counter", ("device",), COUNT,
               "Reads that the drive has finished since boot (psutil.disk_io_counters)."),
    MetricSpec("fleet_disk_writes_total", "counter", ("device",), COUNT,
               "Writes that the drive has finished since boot (psutil.disk_io_counters)."),
    MetricSpec("fleet_disk_busy_seconds_total", "counter", ("device",), COUNT,
               "Time in which the drive had something to do (psutil.disk_io_counters)."),
    MetricSpec("fleet_network_receive_bytes_total", "counter", ("device",), COUNT,
               "Bytes received since boot (psutil.net_io_counters)."),
    MetricSpec("fleet_network_transmit_bytes_total", "counter", ("device",), COUNT,
               "Bytes sent since boot (psutil.net_io_counters)."),
    MetricSpec("fleet_network_receive_errors_total", "counter", ("device",), COUNT,
               "Packets that came in broken (psutil.net_io_counters)."),
    MetricSpec("fleet_network_transmit_errors_total", "counter", ("device",), COUNT,
               "Packets that could not be sent (psutil.net_io_counters)."),
    MetricSpec("fleet_network_receive_drops_total", "counter", ("device",), COUNT,
               "Packets that came in and were thrown away (psutil.net_io_counters)."),
    MetricSpec("fleet_network_transmit_drops_total", "counter", ("device",), COUNT,
               "Packets thrown away before they were sent (psutil.net_io_counters)."),
    MetricSpec("fleet_network_speed_bytes_per_second", "gauge", ("device",), COUNT,
               "Speed of the link; absent where the driver knows none (psutil.net_if_stats)."),
    MetricSpec("fleet_peer_round_trip_seconds", "gauge", ("peer",), COUNT,
               "Shortest of some ways to a peer and back; 20 peers at most (peers.json)."),
    MetricSpec("fleet_peer_throughput_bytes_per_second", "gauge", ("peer",), COUNT,
               "What a peer received a second when it was last measured (peers.json)."),
    MetricSpec("fleet_peer_calls_total", "counter", ("outcome",), COUNT,
               "Calls to peers by outcome: ok, unreachable, refused, timeout, broken "
               "(peers.json)."),
    MetricSpec("fleet_peer_held_back_total", "counter", ("reason",), COUNT,
               "Measurings of throughput that were due and put off, by reason (peers.json)."),
    MetricSpec("fleet_peer_refused_total", "counter", ("reason",), COUNT,
               "Callers that were not served, by reason; wrong_proof: they lack the key "
               "(peers.json)."),
    MetricSpec("fleet_peer_sent_bytes_total", "counter", (), COUNT,
               "Bytes sent to measure throughput since the node agent began (peers.json)."),
    MetricSpec("fleet_temperature_celsius", "gauge", ("sensor",), CELSIUS,
               "Temperature of anything but CPU package and GPU: drives, board, radio (hwmon)."),
    MetricSpec("fleet_gpu_info", "gauge", ("gpu", "name", "uuid"), RATIO,
               "Always 1; which GPU this index is (nvmlDeviceGetName, nvmlDeviceGetUUID)."),
    MetricSpec("fleet_gpu_utilization_ratio", "gauge", ("gpu",), RATIO,
               "Share of time in which a kernel ran (nvmlDeviceGetUtilizationRates)."),
    MetricSpec("fleet_gpu_temperature_celsius", "gauge", ("gpu",), CELSIUS,
               "Core temperature (nvmlDeviceGetTemperature)."),
    MetricSpec("fleet_gpu_memory_used_bytes", "gauge", ("gpu",), COUNT,
               "GPU memory in use (nvmlDeviceGetMemoryInfo)."),
    MetricSpec("fleet_gpu_memory_total_bytes", "gauge", ("gpu",), COUNT,
               "GPU memory (nvmlDeviceGetMemoryInfo)."),
    MetricSpec("fleet_gpu_power_watts", "gauge", ("gpu",), COUNT,
               "Power drawn now (nvmlDeviceGetPowerUsage)."),
    MetricSpec("fleet_gpu_up", "gauge", ("gpu",), RATIO,
               "1 if the GPU can be read, 0 if it was lost (nvmlDeviceGetHandleByIndex)."),
    MetricSpec("fleet_gpu_slowdown_temperature_celsius", "gauge", ("gpu",), CELSIUS,
               "Temperature at which the GPU slows itself down "
               "(nvmlDeviceGetTemperatureThreshold)."),
    MetricSpec("fleet_gpu_temperature_margin_celsius", "gauge", ("gpu",), MARGIN,
               "How far the GPU is below its slow-down (nvmlDeviceGetMarginTemperature)."),
    MetricSpec("fleet_gpu_power_limit_watts", "gauge", ("gpu",), COUNT,
               "Power that the GPU may draw (nvmlDeviceGetEnforcedPowerLimit)."),
    MetricSpec("fleet_gpu_energy_joules_total", "counter", ("gpu",), COUNT,
               "Energy that the GPU has used (nvmlDeviceGetTotalEnergyConsumption)."),
    MetricSpec("fleet_gpu_clock_hertz", "gauge", ("gpu",), COUNT,
               "Clock of the GPU's cores (nvmlDeviceGetClockInfo)."),
    MetricSpec("fleet_gpu_memory_clock_hertz", "gauge", ("gpu",), COUNT,
               "Clock of the GPU's memory (nvmlDeviceGetClockInfo)."),
    MetricSpec("fleet_gpu_fan_ratio", "gauge", ("gpu",), FAN,
               "Speed of the fan as a share of its full speed; may be above 1 "
               "(nvmlDeviceGetFanSpeed)."),
    MetricSpec("fleet_gpu_processes", "gauge", ("gpu", "kind"), COUNT,
               "Processes that use the GPU; kind is compute or graphics "
               "(nvmlDeviceGetComputeRunningProcesses)."),
    MetricSpec("fleet_gpu_throttle_seconds_total", "counter", ("gpu", "reason"), COUNT,
               "Time with clocks held down, by reason (nvmlDeviceGetCurrentClocksEventReasons)."),
    MetricSpec("fleet_power_watts", "gauge", (), COUNT,
               "Power of all CPU packages, or of the whole board where it is measured "
               "(RAPL, LibreHardwareMonitor)."),
    MetricSpec("fleet_energy_joules_total", "counter", ("zone",), COUNT,
               "Energy used since the exporter began, by RAPL zone (energy_uj)."),
    MetricSpec("fleet_pi_throttled", "gauge", ("reason",), RATIO,
               "1 while the Raspberry Pi's firmware holds back or lacks voltage, by reason "
               "(get_throttled)."),
    MetricSpec("fleet_pi_throttled_seconds_total", "counter", ("reason",), COUNT,
               "Time in that state since the exporter began, by reason (get_throttled)."),
    MetricSpec("fleet_pi_throttled_since_boot", "gauge", ("reason",), RATIO,
               "1 if that has happened since boot (get_throttled)."),
    MetricSpec("fleet_clock_offset_seconds", "gauge", (), ANY,
               "How far this clock is ahead of the database's; absent without a database "
               "(clock_timestamp)."),
    MetricSpec("fleet_activity_mode", "gauge", ("mode",), RATIO,
               "1 for the mode that the machine is in, 0 for the others (state.json)."),
    MetricSpec("fleet_throttle_factor", "gauge", (), RATIO,
               "Share of full speed that the worker may use; 0 stops it (state.json)."),
    MetricSpec("fleet_throttle_limit", "gauge", ("limit",), RATIO,
               "1 for each thing that holds the worker back now: manual, heat, battery, gaming, "
               "work (state.json)."),
    MetricSpec("fleet_activity_signal_known", "gauge", ("signal",), RATIO,
               "1 if this machine tells the signal of its owner's activity, 0 if it is unknown "
               "(state.json)."),
    MetricSpec("fleet_collector_up", "gauge", ("collector",), RATIO,
               "1 if the sensor family could be read, 0 if it is broken; absent without a device."),
    MetricSpec("fleet_collector_duration_seconds", "gauge", ("collector",), COUNT,
               "How long the last reading of the sensor family took (perf_counter)."),
    MetricSpec("fleet_samples_dropped_total", "counter", ("collector", "reason"), COUNT,
               "Readings missed: a device did not answer (unreadable), or no machine can have such "
               "a value (impossible)."),
    MetricSpec("fleet_tick_late_seconds", "gauge", (), COUNT,
               "How late the last tick began after its due time (monotonic clock)."),
    MetricSpec("fleet_ticks_missed_total", "counter", (), COUNT,
               "Ticks that never began because the one before took too long (monotonic clock)."),
    MetricSpec("fleet_ingest_lag_seconds", "gauge", (), COUNT,
               "Age of the oldest reading not yet in the database, else how long the last one took "
               "(COPY commit)."),
    MetricSpec("fleet_ingest_held_back", "gauge", (), COUNT,
               "1 while readings are not stored, since this machine may not speak for its node "
               "(node agent)."),
    MetricSpec("fleet_spool_rows", "gauge", (), COUNT,
               "Rows waiting for the database; 0 when empty (spool)."),
    MetricSpec("fleet_spool_oldest_seconds", "gauge", (), COUNT,
               "Age of the oldest waiting row; 0 when empty (spool)."),
    MetricSpec("fleet_spool_dropped_rows_total", "counter", ("reason",), COUNT,
               "Rows that never reached the database: spool full, too old, damaged, or refused "
               "(spool)."),
    MetricSpec("fleet_spool_lost_timestamp_seconds", "gauge", (), COUNT,
               "When rows were last lost, Unix time; absent while none were since the exporter "
               "began (spool)."),
    MetricSpec("fleet_page_series_cut_total", "counter", (), COUNT,
               "Series left out of the page, since a node may have 400 (exporter)."),
    MetricSpec("fleet_worker_counters_timestamp_seconds", "gauge", (), COUNT,
               "When the worker last wrote its counters, Unix time (counters.json)."),
)  # fmt: skip

# The worker counts these; they reach the page through counters.json and keep their last values
# while it is down.
_WORKER = (
    MetricSpec("fleet_llm_tokens_total", "counter", ("model", "kind"), COUNT,
               "Tokens of all calls to the model server; kind is prompt or completion (usage)."),
    MetricSpec("fleet_llm_cached_prompt_tokens_total", "counter", ("model",), COUNT,
               "Tokens of prompts that the model server had read before and kept; absent where it "
               "does not tell (usage, timings)."),
    MetricSpec("fleet_llm_requests_total", "counter", ("model", "outcome"), COUNT,
               "Calls to the model server by outcome: ok, invalid, aborted, error (worker)."),
    MetricSpec("fleet_llm_request_duration_seconds", "histogram", ("model",), COUNT,
               "Duration of a call as the worker measured it (worker)."),
    MetricSpec("fleet_llm_time_to_first_token_seconds", "histogram", ("model",), COUNT,
               "Time until the first token of a call arrived (worker)."),
    MetricSpec("fleet_llm_writing_tokens_total", "counter", ("model", "prompt"), COUNT,
               "Tokens of answers that were not cut off, by the prompt's length: 0-511, 512-2047, "
               "2048-8191, 8192+ or unknown tokens (usage)."),
    MetricSpec("fleet_llm_writing_seconds_total", "counter", ("model", "prompt"), COUNT,
               "Time from the first token of these answers to their last, likewise; the whole "
               "call where the first was not seen (worker)."),
    MetricSpec("fleet_llm_circuit_open", "gauge", (), RATIO,
               "1 while the worker asks its model server for nothing, since it fails (worker)."),
    MetricSpec("fleet_llm_state", "gauge", ("state",), RATIO,
               "1 for the state of the model server, 0 for the others: ready, loading, unloaded, "
               "no_model, wedged, unreachable (worker)."),
    MetricSpec("fleet_llm_local", "gauge", (), RATIO,
               "1 if the model server runs on this machine, 0 if it is elsewhere (worker)."),
    MetricSpec("fleet_llm_gpu_memory_ratio", "gauge", (), RATIO,
               "Share of the loaded model that is in GPU memory; absent where the server does not "
               "tell (Ollama's /api/ps)."),
    MetricSpec("fleet_conversations_total", "counter", ("scenario", "outcome"), COUNT,
               "Conversations: accepted and rejected once judged, failed when given up (worker)."),
    MetricSpec("fleet_rejections_total", "counter", ("reason",), COUNT,
               "Rejected conversations by the check's reason (worker)."),
    MetricSpec("fleet_quality_stages_skipped_total", "counter", ("stage",), COUNT,
               "Judged conversations that a stage did not look at, since what it needs is not "
               "installed: minhash needs datasketch (worker)."),
    MetricSpec("fleet_quality_checks_total", "counter", ("outcome",), COUNT,
               "Checks of judged conversations that passed or failed (worker)."),
    MetricSpec("fleet_turn_tries_total", "counter", ("scenario", "reason"), COUNT,
               "Turns that a check refused while they were written, by the check's reason "
               "(worker)."),
)  # fmt: skip

NODE_METRICS = {spec.name: spec for spec in _NODE}
WORKER_METRICS = {spec.name: spec for spec in _WORKER}
CATALOGUE = NODE_METRICS | WORKER_METRICS

# The names that samples carry: a histogram is its three series.
SPEC_BY_SERIES = {
    spec.name + suffix: spec
    for spec in CATALOGUE.values()
    for suffix in (HISTOGRAM_SUFFIXES if spec.kind == "histogram" else ("",))
}
