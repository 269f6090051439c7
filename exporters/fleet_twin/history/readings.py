"""
SQL that makes readings out of stretches: rows every five seconds, or minutes. Pure.

Each reading is one expression over a stretch, the seconds `e` since it began, and `n`, a number
between -0.5 and 0.5 that is drawn for each row; what it wanders by within a minute stands beside
it. Both levels come from the same expressions, so that a panel sees no seam between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleet_exporters.collectors.cpu_sensors import name_sensor

from fleet_twin.history.stretches import MODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_twin.history.stretches import Stretch

TABLE = "telemetry.twin_stretches"  # there while the past is filled
SAMPLES = 12  # readings in a minute


@dataclass(frozen=True)
class Wave:
    """A reading: its expression, what it wanders by, and the bounds that it keeps."""

    value: str
    swing: str = "0"
    low: str | None = None
    high: str | None = None

    def render(self, offset: str) -> str:
        """Return the reading with this offset, within its bounds."""
        text = f"{self.value} + {offset}" if offset != "0" else self.value
        text = f"greatest({self.low}, {text})" if self.low else text
        return f"least({self.high}, {text})" if self.high else text


@dataclass(frozen=True)
class Rate:
    """A counter: the count at the beginning of a stretch, and its rise by the second."""

    column: str
    count: str
    rate: str


@dataclass(frozen=True)
class Readings:
    """
    The readings of a table.

    `devices` says what rows a machine has, `keys` what tells them apart; `raw` are columns that no
    level above has.
    """

    devices: str
    keys: Mapping[str, str]
    waves: Mapping[str, Wave] = field(default_factory=dict)
    rates: Mapping[str, Rate] = field(default_factory=dict)
    raw: Mapping[str, str] = field(default_factory=dict)
    condition: str = "true"


def _heat(begin: str, end: str, tau: str) -> str:
    return f"(s.{end} + (s.{begin} - s.{end}) * exp(-e / s.{tau}))"


def _bytes(column: str, name: str, rate: str, share: str = "1") -> Rate:
    return Rate(column, f"s.{name} * {share}", f"s.{rate} * {share}")


CPU_CELSIUS = _heat("cpu_from", "cpu_to", "cpu_tau")
GPU_CELSIUS = f"({_heat('gpu_from', 'gpu_to', 'gpu_tau')} + 3 * d.card)"
BUSY = "least(1, s.gpu * (1 + 0.1 * n))"
READINGS = {
    "hardware": Readings(
        devices="(VALUES (0)) AS d(one)",
        keys={},
        waves={
            "cpu_utilization_ratio": Wave("s.cpu * (1 + 0.3 * n)", "0.1 * s.cpu", "0", "1"),
            "cpu_temperature_celsius": Wave(f"{CPU_CELSIUS} + 2 * n", "1.2"),
            "cpu_frequency_hertz": Wave("s.clock * (0.8 + 0.2 * s.cpu + 0.05 * n)", "5e7"),
            "load_1m": Wave(
                "CASE WHEN s.has_loads THEN s.cores * s.cpu * (1 + 0.2 * n) END",
                "0.05 * s.cores * s.cpu",
            ),
            "load_5m": Wave("CASE WHEN s.has_loads THEN s.cores * s.cpu * (1 + 0.05 * n) END"),
            "load_15m": Wave("CASE WHEN s.has_loads THEN s.cores * s.cpu END"),
            "memory_used_bytes": Wave("s.memory * (1 + 0.03 * n)", "2e7"),
            "memory_total_bytes": Wave("s.memory_total"),
            "swap_used_bytes": Wave("0"),
            "swap_total_bytes": Wave("2147483648"),
            "throttle_factor": Wave("s.throttle"),
            "power_watts": Wave(
                "CASE WHEN s.has_watts THEN s.watts * (1 + 0.1 * n) END", "0.05 * s.watts"
            ),
            "clock_offset_seconds": Wave("0.003 * n", "0.001"),
        },
        raw={"mode": "s.mode"},
    ),
    "gpu": Readings(
        devices="generate_series(0, s.cards - 1) AS d(card)",
        keys={"gpu": "d.card::text"},
        waves={
            "utilization_ratio": Wave(BUSY, "0.06 * s.gpu", "0", "1"),
            "temperature_celsius": Wave(f"{GPU_CELSIUS} + n", "0.8"),
            "slowdown_temperature_celsius": Wave("s.gpu_slowdown"),
            "temperature_margin_celsius": Wave(f"s.gpu_slowdown - {GPU_CELSIUS} - n", "0.8"),
            "memory_used_bytes": Wave("s.vram * (1 + 0.01 * n)", "1e6"),
            "memory_total_bytes": Wave("s.vram_total"),
            "power_watts": Wave("s.gpu_watts * (1 + 0.08 * n)", "0.03 * s.gpu_watts"),
            "power_limit_watts": Wave("s.gpu_limit"),
            "clock_hertz": Wave(
                "s.gpu_clock * (0.2 + 0.8 * least(1, s.gpu * 2) + 0.02 * n)", "1e7"
            ),
            "memory_clock_hertz": Wave("s.gpu_memory_clock"),
            "fan_ratio": Wave(f"({GPU_CELSIUS} - 45) / 40", "0.01", "0", "1"),
        },
        rates={
            "energy_joules_per_second": Rate("energy_joules_total", "s.joules", "s.joules_rate")
        },
        raw={"name": "s.card_name", "is_up": "true"},
        condition="s.cards > 0",
    ),
    "disks": Readings(
        devices="unnest(s.mounts) AS d(mount)",
        keys={"mount": "d.mount"},
        waves={
            "free_bytes": Wave("s.free + s.free_rate * e", low="0"),
            "total_bytes": Wave("s.disk"),
        },
    ),
    "disk_io": Readings(
        devices="(VALUES (0)) AS d(one)",
        keys={"device": "s.drive"},
        rates={
            "read_bytes_per_second": _bytes("read_bytes_total", "read", "read_rate"),
            "written_bytes_per_second": _bytes("written_bytes_total", "written", "write_rate"),
            "reads_per_second": _bytes("reads_total", "read", "read_rate", "0.00004"),
            "writes_per_second": _bytes("writes_total", "written", "write_rate", "0.00004"),
            "busy_ratio": _bytes("busy_seconds_total", "written", "write_rate", "2e-9"),
        },
    ),
    "temperatures": Readings(
        devices="unnest(s.sensors, s.offsets) AS d(sensor, above)",
        keys={"sensor": "d.sensor"},
        waves={
            "temperature_celsius": Wave(f"20 + d.above + 0.2 * ({CPU_CELSIUS} - 20) + n", "0.5")
        },
    ),
    "network": Readings(
        devices="(VALUES (0)) AS d(one)",
        keys={"device": "s.device"},
        waves={"speed_bytes_per_second": Wave("s.speed")},
        rates={
            "receive_bytes_per_second": _bytes("receive_bytes_total", "received", "receive_rate"),
            "transmit_bytes_per_second": _bytes("transmit_bytes_total", "sent", "send_rate"),
            "receive_errors_per_second": Rate("receive_errors_total", "0", "0"),
            "transmit_errors_per_second": Rate("transmit_errors_total", "0", "0"),
            "receive_drops_per_second": Rate("receive_drops_total", "0", "0"),
            "transmit_drops_per_second": Rate("transmit_drops_total", "0", "0"),
        },
    ),
}


def render_rows(table: str, types: Mapping[str, str], step_seconds: int) -> str:
    """
    Return the statement that inserts readings of each step between two times (%(begin)s, %(end)s).

    `types` are those of the columns that the table has.
    """
    readings = READINGS[table]
    values = dict(readings.raw)
    values |= {name: wave.render(f"n * {wave.swing}") for name, wave in readings.waves.items()}
    values |= {rate.column: f"{rate.count} + {rate.rate} * e" for rate in readings.rates.values()}
    return _render(f"telemetry.{table}", readings, values, types, step_seconds)


def render_minutes(table: str, into: str, types: Mapping[str, str]) -> str:
    """Return the statement that inserts minutes between two times; `into` is their table."""
    readings = READINGS[table]
    values = {"samples": str(SAMPLES)}
    for name, wave in readings.waves.items():
        values[f"{name}_avg"] = wave.render("0")
        values[f"{name}_min"] = wave.render(f"-({wave.swing})")
        values[f"{name}_max"] = wave.render(wave.swing)
    for name, rate in readings.rates.items():
        values |= dict.fromkeys((f"{name}_avg", f"{name}_min", f"{name}_max"), rate.rate)
    return _render(into, readings, values, types, 60)


def _render(
    into: str,
    readings: Readings,
    values: Mapping[str, str],
    types: Mapping[str, str],
    step_seconds: int,
) -> str:
    known = {name: value for name, value in values.items() if name in types}
    columns = ["time", "node", *readings.keys, *known]
    selected = [
        "s.begin + s.e * interval '1 second'",
        "s.node",
        *readings.keys.values(),
        *(f"({value})::{types[name]}" for name, value in known.items()),
    ]
    # The numbers are drawn once a row, below OFFSET 0; a stretch begins before the time, or in it.
    return f"""INSERT INTO {into} ({", ".join(columns)})
SELECT {", ".join(selected)} FROM (
  SELECT s.*, e::float8 AS e, random() - 0.5 AS n
  FROM (SELECT *, greatest(0, date_part('epoch', %(begin)s - begin))::integer AS first,
          least(seconds, date_part('epoch', %(end)s - begin)::integer) AS last
        FROM {TABLE} WHERE begin < %(end)s AND begin + seconds * interval '1 second' > %(begin)s) s,
    generate_series(s.first, s.last - 1, {step_seconds}) AS e
  WHERE {readings.condition} OFFSET 0) s, {readings.devices}"""  # noqa: S608 - all of it is ours


def list_values(stretch: Stretch) -> dict[str, Any]:
    """Return a row of the table of stretches by column; what a machine lacks is left out."""
    kind, cpu = stretch.place.kind, stretch.cpu
    return {
        "node": stretch.place.node,
        "begin": stretch.begin,
        "seconds": int(stretch.seconds),
        "mode": MODES[stretch.doing],
        "throttle": stretch.throttle_factor,
        "cores": kind.cores,
        "has_loads": not kind.is_windows,
        "cpu": cpu.load,
        "cpu_from": cpu.celsius_from,
        "cpu_to": cpu.celsius_to,
        "cpu_tau": cpu.seconds,
        "watts": cpu.watts,
        "has_watts": kind.has_energy_counters,
        "clock": stretch.clock_hertz,
        "memory": stretch.memory_bytes,
        "memory_total": kind.memory_bytes,
        "sensors": [name_sensor(driver, label) for driver, label, _ in kind.sensors],
        "offsets": [above for _, _, above in kind.sensors],
        "mounts": list(kind.mounts),
        "drive": kind.drive,
        "device": kind.network,
        "speed": kind.link_bytes_per_second,
        "cards": len(kind.cards),
        **_list_card(stretch),
        "received": stretch.received.count,
        "receive_rate": stretch.received.rate,
        "sent": stretch.sent.count,
        "send_rate": stretch.sent.rate,
        "read": stretch.read.count,
        "read_rate": stretch.read.rate,
        "written": stretch.written.count,
        "write_rate": stretch.written.rate,
        "free": stretch.free_bytes.count,
        "free_rate": stretch.free_bytes.rate,
        "disk": kind.disk_bytes,
    }


def _list_card(stretch: Stretch) -> dict[str, Any]:
    card = stretch.card
    if card is None:
        return {}
    model = stretch.place.kind.cards[0]
    return {
        "card_name": model.name,
        "gpu": card.load,
        "gpu_from": card.celsius_from,
        "gpu_to": card.celsius_to,
        "gpu_tau": card.seconds,
        "gpu_watts": card.watts,
        "gpu_limit": model.power_limit_watts,
        "gpu_clock": model.clock_hertz,
        "gpu_memory_clock": model.memory_clock_hertz,
        "gpu_slowdown": model.slowdown_celsius,
        "vram": stretch.vram_bytes,
        "vram_total": model.memory_bytes,
        "joules": stretch.energy.count,
        "joules_rate": stretch.energy.rate,
    }
