"""What LibreHardwareMonitor's web server shows; see fixtures/README.md."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from fix_http import QuietHandler, listen, serving
from fleet_exporters.collectors.windows import Windows, parse, read_page
from fleet_exporters.errors import NoDevice, SensorError

DESKTOP = Path(__file__).parent / "fixtures" / "windows" / "desktop.json"


def values(samples):
    """Return value by metric and label values."""
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_desktop_is_read_whatever_its_language():
    """A comma may be the point; NVIDIA's card is NVML's, and counts as number 0."""
    found = values(parse(DESKTOP.read_text()))

    assert found == {
        ("fleet_temperature_celsius", "lpc nct6798d/0 System"): 38,
        ("fleet_cpu_temperature_celsius", "amdcpu 0 Core (Tctl/Tdie)"): 62.3,
        ("fleet_power_watts",): 88.5,
        ("fleet_gpu_info", "1", "AMD Radeon RX 6800", "gpu-amd/0"): 1,
        ("fleet_gpu_utilization_ratio", "1"): 0.45,
        ("fleet_gpu_temperature_celsius", "1"): 58,
        ("fleet_gpu_memory_used_bytes", "1"): 2**30,
        ("fleet_gpu_clock_hertz", "1"): 2.105e9,
    }


@pytest.mark.parametrize("page", ["", "[]", "{}", '{"Children": 5}', '{"Children": ["x"]}'])
def test_other_answers_are_errors(page):
    """What is no tree of sensors breaks the family instead of being nothing."""
    with pytest.raises(SensorError):
        list(parse(page))


class Answer(QuietHandler):
    """Serves the recording, and refuses everything else."""

    def do_GET(self):
        if self.path == "/data.json":
            self.reply(200, DESKTOP.read_bytes())
        else:
            self.reply(401)


@pytest.fixture
def url():
    with serving(listen(Answer)) as url:
        yield url


def test_page_is_fetched(url):
    """The web server's page is what is parsed."""
    assert list(Windows(f"{url}/data.json").read()) == list(parse(DESKTOP.read_text()))


def test_refusal_is_an_error(url):
    """A web server with a password is there, and broken for us."""
    with pytest.raises(SensorError, match="401"):
        read_page(f"{url}/other")


def test_nobody_listens_is_no_device():
    """Where LibreHardwareMonitor does not run, its metrics are absent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(NoDevice, match="does not run"):
        list(Windows(f"http://127.0.0.1:{port}/data.json").read())
