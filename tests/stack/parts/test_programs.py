"""Where Grafana, Prometheus and Alertmanager come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fleet_stack.fetch import vendor
from fleet_stack.fetch.download import DownloadError
from fleet_stack.parts.installed import DEBIAN
from fleet_stack.parts.program import ProgramError, render_program
from fleet_stack.parts.programs import Sources, find_programs, is_any_available

if TYPE_CHECKING:
    from pathlib import Path

ALL = ("grafana", "prometheus", "alertmanager")


def make_program(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{path.name}, version {version} (branch: main)'\n")
    path.chmod(0o755)


@pytest.fixture
def find(cache, tmp_path):
    """find_programs with a network that the arguments describe; nothing is reachable by default."""

    def fetch_vendor(name, pin, architecture):
        folder = cache.path(vendor.folder_name(name, pin))
        make_program(folder / ("bin/grafana" if name == "grafana" else name), pin.version)
        return folder

    def fetch_debian():
        folder = cache.path(DEBIAN.folder_name)
        make_program(folder / "usr/bin/prometheus", "2.42.0+ds")
        make_program(folder / "usr/bin/prometheus-alertmanager", "0.25.0")
        (folder / "usr/share/prometheus/web").mkdir(parents=True)
        return folder

    def find(environ, names=ALL, *, reachable=(), has_debian=False, **changes):
        lines = []
        sources = Sources(
            cache=cache,
            architecture="amd64",
            probe=lambda urls: frozenset(
                url for url in urls if any(host in url for host in reachable)
            ),
            fetch_vendor=fetch_vendor,
            fetch_debian=fetch_debian if has_debian else None,
        )
        found = find_programs(
            {"PATH": str(tmp_path / "path"), **environ}, lines.append, names,
            sources=Sources(**{**vars(sources), **changes}),
        )  # fmt: skip
        return found, lines

    return find


def test_external_program_is_left_alone(find):
    """An address of the user's own is taken as it is, and nothing is fetched."""
    found, lines = find({"FLEET_EXTERNAL_PROMETHEUS_URL": "http://metrics:9090"}, ["prometheus"])

    assert (found["prometheus"].origin, found["prometheus"].url) == (
        "external",
        "http://metrics:9090",
    )
    assert lines == ["prometheus    your own at http://metrics:9090"]


def test_named_folder_wins_over_path(find, tmp_path):
    """FLEET_PROMETHEUS_HOME is preferred to what PATH has."""
    make_program(tmp_path / "mine" / "prometheus", "3.5.0")
    make_program(tmp_path / "path" / "prometheus", "3.6.0")

    found, _ = find({"FLEET_PROMETHEUS_HOME": str(tmp_path / "mine")}, ["prometheus"])

    assert (found["prometheus"].origin, found["prometheus"].version) == ("home", "3.5.0")


def test_named_folder_without_the_program_is_an_error(find, tmp_path):
    """A setting that cannot be used is not passed over in silence."""
    with pytest.raises(
        ProgramError, match=r"FLEET_GRAFANA_HOME cannot be used: .* has no bin/grafana"
    ):
        find({"FLEET_GRAFANA_HOME": str(tmp_path)})


def test_named_folder_with_an_old_program_is_an_error(find, tmp_path):
    """The error names the version and the floor."""
    make_program(tmp_path / "bin" / "grafana", "11.2.0")

    with pytest.raises(ProgramError, match=r"version 11\.2\.0 is too old; 12\.3 or newer"):
        find({"FLEET_GRAFANA_HOME": str(tmp_path)})


def test_grafana_runs_with_its_home(find, tmp_path):
    """Grafana needs to be told where its pages are."""
    make_program(tmp_path / "bin" / "grafana", "12.4.1")

    found, _ = find({"FLEET_GRAFANA_HOME": str(tmp_path)}, ["grafana"])

    assert found["grafana"].extra == ("--homepath", str(tmp_path))


def test_grafana_built_by_hand_tells_its_version_by_its_folder(find, tmp_path):
    """A program without a version is judged by package.json beside it."""
    make_program(tmp_path / "bin" / "grafana", "unknown-dev")
    (tmp_path / "package.json").write_text('{"version": "12.4.1"}')

    found, _ = find({"FLEET_GRAFANA_HOME": str(tmp_path)}, ["grafana"])

    assert found["grafana"].version == "12.4.1"


def test_debian_name_is_found_on_path(find, tmp_path):
    """Debian calls Alertmanager prometheus-alertmanager."""
    make_program(tmp_path / "path" / "prometheus-alertmanager", "0.28.1")

    found, _ = find({}, ["alertmanager"])

    assert (found["alertmanager"].origin, found["alertmanager"].version) == ("path", "0.28.1")


def test_old_program_on_path_is_passed_over(find, tmp_path):
    """What PATH has below the floor is named, and the vendor's release is taken."""
    make_program(tmp_path / "path" / "prometheus", "2.15.2")

    found, lines = find({}, ["prometheus"], reachable=["github.com"])

    assert found["prometheus"].origin == "vendor"
    assert "2.15.2 is too old" in lines[0]


def test_vendor_comes_before_debian(find):
    """A reachable vendor is preferred to Debian's packages."""
    found, _ = find({}, reachable=["github.com", "dl.grafana.com"], has_debian=True)

    assert {program.origin for program in found.values()} == {"vendor"}


def test_debian_stands_in_for_an_unreachable_vendor(find, cache):
    """Prometheus and Alertmanager come from Debian's packages, with the folder of the pages."""
    found, lines = find({}, ["prometheus", "alertmanager"], has_debian=True)

    assets = cache.path(DEBIAN.folder_name) / "usr/share/prometheus/web"
    assert found["prometheus"].extra == (f"--web.local-assets={assets}/",)
    assert lines[0].startswith("prometheus    2.42.0 from Debian's package")
    assert found["alertmanager"].path.name == "prometheus-alertmanager"


def test_failed_download_falls_back_to_debian(find):
    """A vendor that answers but does not deliver is not the end."""

    def fail(name, pin, architecture):
        raise DownloadError("cut")

    found, _ = find(
        {}, ["prometheus"], reachable=["github.com"], has_debian=True, fetch_vendor=fail
    )

    assert found["prometheus"].origin == "debian"


def test_offline_asks_no_vendor(find):
    """FLEET_OFFLINE=1 forbids to ask hosts of vendors."""

    def forbidden(urls):
        raise AssertionError(urls)

    found, _ = find({"FLEET_OFFLINE": "1"}, probe=forbidden)

    assert "FLEET_OFFLINE=1" in found["grafana"].reason


def test_absent_program_says_why_and_what_to_do(find):
    """`status` can tell the reason and the one command."""
    found, _ = find({}, ["grafana"])

    assert found["grafana"].path is None
    assert "dl.grafana.com cannot be reached" in found["grafana"].reason
    assert found["grafana"].reason.endswith("FLEET_GRAFANA_HOME=FOLDER ./fleet up")


def test_cached_program_is_used_without_asking(find):
    """What one start took from Debian the next one takes too, also with a vendor in reach."""
    find({}, ["prometheus"], has_debian=True)

    found, _ = find({}, ["prometheus"], reachable=["github.com"])

    assert found["prometheus"].origin == "debian"


def test_older_release_of_the_vendor_is_kept_when_the_pinned_one_is_out_of_reach(find, cache):
    """A home that ran Prometheus 3 must not go back to Debian's 2.42."""
    make_program(cache.path("prometheus-3.14.0") / "prometheus", "3.14.0")

    found, _ = find({}, ["prometheus"], has_debian=True)

    assert (found["prometheus"].origin, found["prometheus"].version) == ("vendor", "3.14.0")


def test_lines_name_version_and_place(find, tmp_path):
    """The one line tells what was taken and where it lies."""
    make_program(tmp_path / "mine" / "prometheus", "3.5.0")
    found, lines = find({"FLEET_PROMETHEUS_HOME": str(tmp_path / "mine")}, ["prometheus"])

    assert lines == [render_program(found["prometheus"])]
    assert lines[0] == f"prometheus    3.5.0 from the folder you named ({tmp_path}/mine/prometheus)"


@pytest.mark.parametrize(
    ("environ", "reachable", "expected"),
    [({}, True, True), ({}, False, False), ({"FLEET_OFFLINE": "1"}, True, False)],
    ids=["a network", "no network", "forbidden to ask"],
)
def test_absent_program_is_looked_for_on_the_network(cache, environ, reachable, expected):
    """For a moment at each `up`: it may have come back."""
    environ = {"PATH": "", **environ}

    def probe(urls):
        return frozenset(urls) if reachable else frozenset()

    assert expected == is_any_available(["grafana"], environ, cache=cache, probe=probe)


def test_absent_program_is_looked_for_on_this_machine(cache, tmp_path):
    """Somebody followed the advice of `status`."""
    make_program(tmp_path / "bin" / "prometheus", "3.5.0")
    environ = {"PATH": str(tmp_path / "bin"), "FLEET_OFFLINE": "1"}

    assert is_any_available(["prometheus"], environ, cache=cache)
    assert not is_any_available(["alertmanager"], environ, cache=cache)
