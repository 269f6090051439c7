"""Panels about the machines: heat, load, memory, disks."""

from __future__ import annotations

from fleet_dashboards import links
from fleet_dashboards.datasources import Json, instant, series
from fleet_dashboards.looks import DISK_FREE, HEAT, HEAT_BOUNDARY, MEMORY_FULL
from fleet_dashboards.panels import (
    COLOURED,
    MERGED,
    Head,
    columns,
    lines,
    override,
    share_bar,
    sorted_by,
    table,
    thresholds,
)


def temperatures() -> Json:
    """Return the hottest reading of each CPU and GPU, with the bands behind."""
    head = Head(
        11,
        "Temperatures",
        "The hottest reading of each CPU and GPU; green < 70 °C, yellow 70-80 °C, red > 80 °C. "
        "Source: Prometheus, fleet_cpu_temperature_celsius and fleet_gpu_temperature_celsius "
        "(maximum, never an average).",
        "celsius",
        "no sensor on this machine",
    )
    targets = [
        series(
            "max by (node) (max_over_time(fleet_cpu_temperature_celsius[$__rate_interval]))",
            "{{node}} CPU",
            ref="A",
        ),
        series(
            "max by (node, gpu) (max_over_time(fleet_gpu_temperature_celsius[$__rate_interval]))",
            "{{node}} GPU {{gpu}}",
            ref="B",
        ),
    ]
    return lines(
        head,
        *targets,
        legend="right",
        decimals=0,
        min=20,
        thresholds=HEAT,
        mappings=HEAT_BOUNDARY,
        links=links.to_node_of_series(),
        custom={"fillOpacity": 0, "thresholdsStyle": {"mode": "area"}, "axisSoftMax": 90},
    )


def utilization() -> Json:
    """Return how busy CPUs and GPUs are."""
    head = Head(
        12,
        "CPU and GPU, average of 5 minutes",
        "How busy each CPU and GPU was in the 5 minutes before. Source: Prometheus, "
        "avg_over_time of fleet_cpu_utilization_ratio and fleet_gpu_utilization_ratio.",
        "percentunit",
        "no reading to show",
    )
    targets = [
        series("avg_over_time(fleet_cpu_utilization_ratio[5m])", "{{node}} CPU", ref="A"),
        series("avg_over_time(fleet_gpu_utilization_ratio[5m])", "{{node}} GPU {{gpu}}", ref="B"),
    ]
    node = links.to_node_of_series()
    return lines(head, *targets, legend="right", min=0, max=1, links=node)


def memory() -> Json:
    """Return the share of memory in use; a machine without a GPU has no row for one."""
    head = Head(
        13,
        "Memory in use",
        "Share of main memory, and of the memory of each GPU. Source: Prometheus, "
        "fleet_memory_used_bytes / fleet_memory_total_bytes, and fleet_gpu_memory_used_bytes / "
        "fleet_gpu_memory_total_bytes.",
        "string",
        "no reading to show",
    )
    expr = """
        max by (node, kind) (
          label_replace(fleet_memory_used_bytes / fleet_memory_total_bytes, "kind", "main", "", "")
          or label_replace(fleet_gpu_memory_used_bytes / fleet_gpu_memory_total_bytes,
            "kind", "GPU $1", "gpu", "(.+)"))
        """
    in_use = share_bar("In use", MEMORY_FULL)
    changes = [columns(node="Node", kind="Memory", Value="In use"), sorted_by("Node")]
    return table(
        head,
        instant(expr, form="table"),
        transformations=changes,
        overrides=[
            override("Node", links=links.to_node()),
            override("Memory", custom__width=90),
            in_use,
        ],
    )


def disks() -> Json:
    """Return the free space of each disk."""
    head = Head(
        14,
        "Disk free",
        "Free space of each mount: yellow below 20 GiB, red below 5 GiB. "
        "Source: Prometheus, fleet_disk_free_bytes, and its share of fleet_disk_total_bytes.",
        "string",
        "no reading to show",
    )
    space, share = "fleet_disk_free_bytes", "fleet_disk_free_bytes / fleet_disk_total_bytes"
    targets = [
        instant(f"min by (node, mount) ({space})", ref="A", form="table"),
        instant(f"min by (node, mount) ({share})", ref="B", form="table"),
    ]
    changes = [
        MERGED,
        columns(node="Node", mount="Mount", Value_A="Free", Value_B="Share"),
        sorted_by("Node"),
    ]
    overrides = [
        override("Node", links=links.to_node()),
        override("Mount", custom__inspect=True),
        override(
            "Free",
            unit="bytes",
            decimals=1,
            custom__cellOptions=COLOURED,
            custom__width=100,
            thresholds=DISK_FREE,
        ),
        share_bar("Share", thresholds("blue")),
    ]
    return table(head, *targets, transformations=changes, overrides=overrides)
