"""Write samples in Prometheus' text format, version 0.0.4. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from prometheus_client.core import Metric

from fleet_exporters.catalogue import SPEC_BY_SERIES, MetricSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fleet_exporters.sample import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class _Families:
    """What generate_latest() asks of a registry."""

    metrics: Iterable[Metric]

    def collect(self) -> Iterator[Metric]:
        return iter(self.metrics)


def _make_family(spec: MetricSpec) -> Metric:
    # prometheus_client adds _total to the name of a counter itself.
    name = spec.name.removesuffix("_total") if spec.kind == "counter" else spec.name
    return Metric(name, spec.help, spec.kind)


def render(samples: Iterable[Sample]) -> bytes:
    """Return the page: one HELP and TYPE a metric, its series below it in the order they came."""
    families: dict[str, Metric] = {}
    for sample in samples:
        spec = SPEC_BY_SERIES[sample.name]
        family = families.get(spec.name)
        if family is None:
            family = families[spec.name] = _make_family(spec)
        family.add_sample(sample.name, dict(sample.labels), sample.value)
    return generate_latest(_Families(families.values()))
