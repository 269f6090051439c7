"""Turn the samples of a tick into rows of the telemetry tables. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from fleet_exporters.sample import Sample, Tick

Row = tuple[object, ...]


@dataclass(frozen=True)
class Batch:
    """The rows of one tick by table, and when the readings were taken."""

    time: datetime
    rows: Mapping[str, Sequence[Row]]

    @property
    def size(self) -> int:
        """How many rows these are."""
        return sum(map(len, self.rows.values()))


@dataclass(frozen=True)
class Column:
    """A column and the metrics that fill it; of several samples the highest counts."""

    name: str
    type: str
    metrics: tuple[str, ...]
    #: a text column shows this label of the sample whose value is 1
    label: str = ""
    #: NULL is allowed also in a table whose rows are complete
    is_optional: bool = False


@dataclass(frozen=True)
class Table:
    """A table of telemetry: time, node, a device unless it is about the whole machine, columns."""

    name: str
    device: str
    columns: tuple[Column, ...]
    #: rows that lack a value are left out, but for optional columns (the others are NOT NULL)
    is_complete: bool = True

    @property
    def column_types(self) -> dict[str, str]:
        """PostgreSQL types by column name, in the order of a row."""
        device = {self.device: "text"} if self.device else {}
        columns = {column.name: column.type for column in self.columns}
        return {"time": "timestamptz", "node": "text"} | device | columns


def _column(
    name: str, type_: str, *metrics: str, label: str = "", is_optional: bool = False
) -> Column:
    return Column(name, type_, metrics, label, is_optional)


TABLES = (
    Table("hardware", "", (
        _column("cpu_utilization_ratio", "float8", "fleet_cpu_utilization_ratio"),
        _column("cpu_temperature_celsius", "float8", "fleet_cpu_temperature_celsius"),
        _column("cpu_frequency_hertz", "float8", "fleet_cpu_frequency_hertz"),
        _column("load_1m", "float8", "fleet_load_1m"),
        _column("memory_used_bytes", "int8", "fleet_memory_used_bytes"),
        _column("memory_total_bytes", "int8", "fleet_memory_total_bytes"),
        _column("swap_used_bytes", "int8", "fleet_swap_used_bytes"),
        _column("mode", "text", "fleet_activity_mode", label="mode"),
        _column("throttle_factor", "float8", "fleet_throttle_factor"),
        _column("load_5m", "float8", "fleet_load_5m"),
        _column("load_15m", "float8", "fleet_load_15m"),
        _column("swap_total_bytes", "int8", "fleet_swap_total_bytes"),
        _column("power_watts", "float8", "fleet_power_watts"),
        _column("clock_offset_seconds", "float8", "fleet_clock_offset_seconds"),
    ), is_complete=False),
    Table("gpu", "gpu", (
        _column("name", "text", "fleet_gpu_info", label="name"),
        _column("utilization_ratio", "float8", "fleet_gpu_utilization_ratio"),
        _column("temperature_celsius", "float8", "fleet_gpu_temperature_celsius"),
        _column("memory_used_bytes", "int8", "fleet_gpu_memory_used_bytes"),
        _column("memory_total_bytes", "int8", "fleet_gpu_memory_total_bytes"),
        _column("power_watts", "float8", "fleet_gpu_power_watts"),
        _column("slowdown_temperature_celsius", "float8",
                "fleet_gpu_slowdown_temperature_celsius"),
        _column("temperature_margin_celsius", "float8", "fleet_gpu_temperature_margin_celsius"),
        _column("power_limit_watts", "float8", "fleet_gpu_power_limit_watts"),
        _column("energy_joules_total", "float8", "fleet_gpu_energy_joules_total"),
        _column("clock_hertz", "float8", "fleet_gpu_clock_hertz"),
        _column("memory_clock_hertz", "float8", "fleet_gpu_memory_clock_hertz"),
        _column("fan_ratio", "float8", "fleet_gpu_fan_ratio"),
        _column("is_up", "bool", "fleet_gpu_up"),
    ), is_complete=False),
    Table("disks", "mount", (
        _column("free_bytes", "int8", "fleet_disk_free_bytes"),
        _column("total_bytes", "int8", "fleet_disk_total_bytes"),
    )),
    Table("disk_io", "device", (
        _column("read_bytes_total", "int8", "fleet_disk_read_bytes_total"),
        _column("written_bytes_total", "int8", "fleet_disk_written_bytes_total"),
        _column("reads_total", "int8", "fleet_disk_reads_total"),
        _column("writes_total", "int8", "fleet_disk_writes_total"),
        _column("busy_seconds_total", "float8", "fleet_disk_busy_seconds_total",
                is_optional=True),
    )),
    Table("temperatures", "sensor", (
        _column("temperature_celsius", "float8",
                "fleet_cpu_temperature_celsius", "fleet_temperature_celsius"),
    )),
    Table("network", "device", (
        _column("receive_bytes_total", "int8", "fleet_network_receive_bytes_total"),
        _column("transmit_bytes_total", "int8", "fleet_network_transmit_bytes_total"),
        *(
            _column(f"{name}_total", "int8", f"fleet_network_{name}_total", is_optional=True)
            for name in ("receive_errors", "transmit_errors", "receive_drops", "transmit_drops")
        ),
        _column("speed_bytes_per_second", "float8", "fleet_network_speed_bytes_per_second",
                is_optional=True),
    )),
)  # fmt: skip


def make_batch(tick: Tick, node: str) -> Batch:
    """Return the rows of all tables that this tick has readings for."""
    by_metric: dict[str, list[Sample]] = {}
    for sample in tick.samples:
        by_metric.setdefault(sample.name, []).append(sample)
    rows = {table.name: _make_rows(table, by_metric, tick, node) for table in TABLES}
    return Batch(tick.time, {name: made for name, made in rows.items() if made})


def _make_rows(
    table: Table, by_metric: dict[str, list[Sample]], tick: Tick, node: str
) -> list[Row]:
    devices: dict[str, list[object]] = {}
    for position, column in enumerate(table.columns):
        for metric in column.metrics:
            for sample in by_metric.get(metric, ()):
                device = sample.labels[table.device] if table.device else ""
                row = devices.setdefault(device, [None] * len(table.columns))
                row[position] = _merge(row[position], column, sample)
    return [
        (tick.time, node, *([device] if table.device else []), *row)
        for device, row in devices.items()
        if not (table.is_complete and _lacks_any(table, row))
    ]


def _lacks_any(table: Table, row: list[object]) -> bool:
    """True if a value is missing that may not be NULL."""
    pairs = zip(table.columns, row, strict=True)
    return any(value is None and not column.is_optional for column, value in pairs)


def _merge(present: object, column: Column, sample: Sample) -> object:
    """Return what the column says after this sample."""
    if column.type == "text":
        return sample.labels[column.label] if sample.value == 1 else present
    if column.type == "bool":
        return bool(sample.value)
    value = int(sample.value) if column.type == "int8" else float(sample.value)
    return value if not isinstance(present, (int, float)) else max(present, value)
