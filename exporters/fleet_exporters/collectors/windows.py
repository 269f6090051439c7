"""
Read what Windows keeps to itself from LibreHardwareMonitor's web server, while it runs.

By hand: `curl http://127.0.0.1:8085/data.json`. NVIDIA's cards are left to NVML.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL = "http://127.0.0.1:8085/data.json"
TIMEOUT_SECONDS = 1.5
ANSWER_MAX = 4_000_000  # bytes; a large machine has about 200 kB

# "45,5 °C" or "45.5 °C" by the language of the system, or "-" for a value that is not there.
NUMBER = re.compile(r"\s*(-?\d+(?:[.,]\d+)?)")
CPUS = ("amdcpu", "intelcpu", "cpu")
# Of a CPU's sensors the nearest to the whole package; the numbers of cores say less.
CPU_BEST = ("Core (Tctl/Tdie)", "CPU Package", "Core (Tdie)", "CPU (Tctl)", "Core (Tctl)")
POWERS = ("CPU Package", "Package")
NVIDIA_GPUS = ("gpu-nvidia", "nvidiagpu")
GPU_MAKERS = (NVIDIA_GPUS, ("gpu-amd", "atigpu"), ("gpu-intel", "gpu-intel-integrated"))

MEGABYTE, MEGAHERTZ = 2**20, 1_000_000
# (kind, text) -> metric and scale to base units
GPU_METRICS = {
    ("temperature", "GPU Core"): ("fleet_gpu_temperature_celsius", 1.0),
    ("load", "GPU Core"): ("fleet_gpu_utilization_ratio", 0.01),
    ("clock", "GPU Core"): ("fleet_gpu_clock_hertz", MEGAHERTZ),
    ("clock", "GPU Memory"): ("fleet_gpu_memory_clock_hertz", MEGAHERTZ),
    ("power", "GPU Package"): ("fleet_gpu_power_watts", 1.0),
    ("smalldata", "GPU Memory Used"): ("fleet_gpu_memory_used_bytes", MEGABYTE),
    ("smalldata", "GPU Memory Total"): ("fleet_gpu_memory_total_bytes", MEGABYTE),
    ("control", "GPU Fan"): ("fleet_gpu_fan_ratio", 0.01),
}


@dataclass(frozen=True)
class Value:
    """One sensor: `/amdcpu/0/temperature/2` is the maker's part, its number, the kind of value."""

    part: str
    number: str
    kind: str
    hardware: str
    text: str
    value: float


def read_page(url: str) -> str | None:
    """Return the page; None if nobody listens. Raises SensorError on any other answer."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(
        address.hostname or "127.0.0.1", address.port or 80, timeout=TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", address.path or "/data.json")
        answer = connection.getresponse()
        body = answer.read(ANSWER_MAX)
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException) as exc:
        raise SensorError(f"{url} does not answer: {exc!r}; restart LibreHardwareMonitor") from exc
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise SensorError(f"{url} answers {answer.status}; is its password set?")
    return body.decode("utf-8", "replace")


def find_values(node: Any, hardware: str = "") -> Iterator[Value]:
    """Yield the sensors of the tree that have a number."""
    path = str(node.get("SensorId", "")).strip("/").split("/")
    text, number = str(node.get("Text", "")), NUMBER.match(str(node.get("Value", "")))
    if len(path) >= 4 and number:
        value = float(number[1].replace(",", "."))
        yield Value(path[0], "/".join(path[1:-2]), path[-2], hardware, text, value)
    if node.get("HardwareId"):
        hardware = text
    for child in node.get("Children", ()):
        yield from find_values(child, hardware)


def parse(page: str) -> Iterator[Sample]:
    """Yield temperatures, CPU power and the GPUs of AMD and Intel."""
    try:
        values = list(find_values(json.loads(page)))
    except (ValueError, AttributeError, TypeError, RecursionError) as exc:
        raise SensorError(
            f"LibreHardwareMonitor's answer is not a tree of sensors: {exc!r}"
        ) from exc
    if not values:
        raise SensorError("LibreHardwareMonitor sends no sensor ids; version 0.9.4 or newer does")
    yield from _find_temperatures(values)
    watts = [v.value for v in values if v.part in CPUS and v.kind == "power" and v.text in POWERS]
    if watts:
        yield Sample("fleet_power_watts", {}, sum(watts))
    yield from _find_gpus(values)


def _find_temperatures(values: list[Value]) -> Iterator[Sample]:
    """Yield one temperature of each CPU, and those of drives and board."""
    cpus: dict[str, list[Value]] = {}
    gpus = [part for maker in GPU_MAKERS for part in maker]
    for value in values:
        if value.kind != "temperature" or value.part in gpus:
            continue
        if value.part in CPUS:
            cpus.setdefault(f"{value.part} {value.number}", []).append(value)
        else:
            labels = {"sensor": f"{value.part} {value.number} {value.text}"}
            yield Sample("fleet_temperature_celsius", labels, value.value)
    for name, sensors in cpus.items():
        ranked = [v for text in CPU_BEST for v in sensors if v.text == text]
        best = ranked[0] if ranked else max(sensors, key=lambda v: v.value)
        labels = {"sensor": f"{name} {best.text}"}
        yield Sample("fleet_cpu_temperature_celsius", labels, best.value)


def _find_gpus(values: list[Value]) -> Iterator[Sample]:
    """Yield GPUs but NVIDIA's, numbered after them in the order of makers."""
    cards = list(dict.fromkeys((v.part, v.number) for v in values if v.part.find("gpu") >= 0))
    ordered = [card for maker in GPU_MAKERS for card in cards if card[0] in maker]
    for number, (part, own_number) in enumerate(ordered):
        if part in NVIDIA_GPUS:
            continue
        gpu = str(number)
        sensors = [v for v in values if (v.part, v.number) == (part, own_number)]
        uuid = f"{part}/{own_number}"
        info = {"gpu": gpu, "name": sensors[0].hardware or uuid, "uuid": uuid}
        yield Sample("fleet_gpu_info", info, 1)
        for value in sensors:
            if (value.kind, value.text) in GPU_METRICS:
                metric, scale = GPU_METRICS[value.kind, value.text]
                yield Sample(metric, {"gpu": gpu}, value.value * scale)


class Windows:
    """Asks the web server of one address; of no address, its usual one if this is Windows."""

    def __init__(self, url: str = "", page: Callable[[str], str | None] = read_page) -> None:
        self._url = url or (URL if sys.platform == "win32" else "")
        self._page = page

    def read(self) -> Iterator[Sample]:
        """Yield what LibreHardwareMonitor shows; raises NoDevice where it does not run."""
        if not self._url:
            raise NoDevice("this is not Windows, and FLEET_HARDWARE_MONITOR_URL is not set")
        page = self._page(self._url)
        if page is None:
            raise NoDevice(f"LibreHardwareMonitor's web server does not run at {self._url}")
        yield from parse(page)
