"""Write a sample as people read it: a short name, the value with its unit. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fleet_exporters.sample import Sample

KIBI = 1024.0
BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
DECIMAL = ("", "k", "M", "G")


@dataclass(frozen=True)
class Value:
    """A value for people, with the labels that tell it from its neighbours."""

    name: str
    labels: str
    text: str


def render_bytes(value: float) -> str:
    """Return bytes in the largest unit of which there is at least one."""
    step = 0
    while abs(value) >= KIBI and step < len(BINARY) - 1:
        value, step = value / KIBI, step + 1
    return f"{value:.0f} B" if step == 0 else f"{value:.1f} {BINARY[step]}"


def render_decimal(value: float, unit: str) -> str:
    """Return a value with a decimal prefix: 2.4 GHz."""
    step = 0
    while abs(value) >= 1000 and step < len(DECIMAL) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.3g} {DECIMAL[step]}{unit}"


def render_number(value: float) -> str:
    """Return a number without a tail of digits that mean nothing."""
    return f"{value:.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


# The unit that ends a metric's name, and how a value of it is written.
UNITS: dict[str, Callable[[float], str]] = {
    "bytes": render_bytes,
    "bytes_per_second": lambda value: f"{render_bytes(value)}/s",
    "celsius": lambda value: f"{value:.1f} °C",
    "ratio": lambda value: f"{value * 100:.1f} %",
    "hertz": lambda value: render_decimal(value, "Hz"),
    "watts": lambda value: f"{value:.1f} W",
    "joules": lambda value: render_decimal(value, "J"),
    "volts": lambda value: f"{value:.2f} V",
    "seconds": lambda value: f"{render_number(value)} s",
}


def split_unit(metric: str) -> tuple[str, str]:
    """Return the name without `fleet_`, `_total` and its unit, and the unit."""
    name = metric.removeprefix("fleet_").removesuffix("_total")
    for unit in sorted(UNITS, key=len, reverse=True):
        if name.endswith(f"_{unit}"):
            return name.removesuffix(f"_{unit}"), unit
    return name, ""


def render_value(sample: Sample, family: str) -> Value:
    """
    Return a sample for people.

    The family's own name is left out of the value's; an info metric is what its labels say.
    """
    name, unit = split_unit(sample.name)
    name = name.removeprefix(f"{family}_") if name != family else name
    if name.endswith("info"):
        return Value("", "", ", ".join(label for label in sample.labels.values() if label))
    text = UNITS[unit](sample.value) if unit else render_number(sample.value)
    return Value(name.replace("_", " "), " ".join(sample.labels.values()), text)


def render_values(samples: Iterable[Sample], family: str) -> list[str]:
    """
    Return one text a metric: its name, then its values, each after the labels it has.

    Sums since the start come last: what a machine does now tells more.
    """
    by_name: dict[str, list[str]] = {}
    ordered = sorted(samples, key=lambda sample: sample.name.endswith("_total"))
    for value in (render_value(sample, family) for sample in ordered):
        by_name.setdefault(value.name, []).append(f"{value.labels} {value.text}".strip())
    return [f"{name} {', '.join(texts)}".strip() for name, texts in by_name.items()]


def render_signal(name: str, value: object) -> str:
    """Return a signal for people: `foreign cpu 3.0 %`, `steam game none`, `interactive no`."""
    words = name.removeprefix("is_")
    if isinstance(value, bool):
        return f"{words.replace('_', ' ')} {'yes' if value else 'no'}"
    stem, unit = split_unit(words)
    if isinstance(value, (int, float)):
        text = UNITS[unit](value) if unit else render_number(value)
        return f"{stem.replace('_', ' ')} {text}"
    return f"{words.replace('_', ' ')} {value or 'none'}"
