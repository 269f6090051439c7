"""Where third-party programs come from: the order, the versions, and the ways to fetch them."""

from __future__ import annotations

import hashlib
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from fix_http import QuietHandler, listen, serving
from fleet_stack.fetch import debian, vendor
from fleet_stack.fetch.cache import Cache, CacheError, decide_cache_root
from fleet_stack.fetch.download import DownloadError
from fleet_stack.fetch.hosts import probe
from fleet_stack.fetch.vendor import Pin, load_pins
from fleet_stack.parts.installed import DEBIAN
from fleet_stack.parts.program import (
    Program,
    ProgramError,
    decide_objection,
    parse_version,
    render_program,
)
from fleet_stack.parts.programs import Sources, find_programs, is_any_available

ALL = ("grafana", "prometheus", "alertmanager")
PIN = Pin("3.1.0", "", {}, "2.42", ("3.0.1",))


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
    assert lines == ["prometheus at http://metrics:9090 (yours)"]


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
    assert lines[0].startswith("prometheus 2.42.0 from Debian's package")
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


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+b5)", "2.42.0"),
        ("alertmanager, version 0.34.1 (branch: HEAD)", "0.34.1"),
        ("grafana version 12.4.1", "12.4.1"),
        ("grafana version unknown-dev", None),
        ("", None),
    ],
)
def test_versions_are_read(output, version):
    """Each program tells its version in its own words."""
    assert parse_version(output) == version


@pytest.mark.parametrize(
    ("version", "objection"),
    [
        ("2.42.0", None),
        ("3.10.0", None),
        ("2.9.9", "too old"),
        ("3.0.1", "known faults"),
        (None, "does not report"),
    ],
)
def test_versions_are_judged(version, objection):
    """Numbers are compared as numbers, and refused releases are refused."""
    found = decide_objection(PIN, version)

    assert found is None if objection is None else objection in found


def test_pins_are_complete():
    """Every pinned release passes its own rules and has a sha256 for both architectures."""
    for pin in load_pins().values():
        assert decide_objection(pin, pin.version) is None
        assert "{arch}" in pin.url
        assert pin.version in pin.url
        assert {name: len(value) for name, value in pin.sha256.items()} == {
            "amd64": 64,
            "arm64": 64,
        }


@pytest.fixture
def release(tmp_path):
    """A vendor's server with one release, and its pin."""
    folder = tmp_path / "served"
    make_program(folder / "prometheus-3.1.0.linux-amd64" / "prometheus", "3.1.0")
    (folder / "prometheus-3.1.0.linux-amd64" / "prometheus").chmod(0o700)
    with tarfile.open(folder / "amd64.tar.gz", "w:gz") as tar:
        tar.add(folder / "prometheus-3.1.0.linux-amd64", "prometheus-3.1.0.linux-amd64")

    class Handler(QuietHandler, SimpleHTTPRequestHandler):
        """Serves the files of the folder."""

    sum_ = hashlib.sha256((folder / "amd64.tar.gz").read_bytes()).hexdigest()
    with serving(listen(partial(Handler, directory=folder))) as url:
        yield Pin("3.1.0", f"{url}/{{arch}}.tar.gz", {"amd64": sum_}, "2.42", ())


def test_release_is_unpacked_for_everyone(release, cache, progress):
    """The cache holds the release, readable by the user that runs the servers, and no archive."""
    folder = vendor.fetch(cache, "prometheus", release, "amd64", progress)

    assert (folder / "prometheus").stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in cache.root.iterdir() if path.suffix != ".lock") == [
        "prometheus-3.1.0"
    ]


def test_release_with_another_sha256_is_not_unpacked(release, cache, progress):
    """A release that is not the pinned one leaves nothing behind."""
    wrong = Pin(**{**vars(release), "sha256": {"amd64": "f" * 64}})

    with pytest.raises(DownloadError, match=r"expected f{64}"):
        vendor.fetch(cache, "prometheus", wrong, "amd64", progress)

    assert [path for path in cache.root.iterdir() if path.suffix != ".lock"] == []


def test_full_disk_is_said_before_the_download(release, tmp_path, progress):
    """The room is looked at first; the error names the place and both amounts."""
    full = Cache(tmp_path / "full", free=lambda path: 5_000_000)

    with pytest.raises(CacheError, match=r"no disk space for prometheus 3\.1\.0: .* has 5 MB free"):
        vendor.fetch(full, "prometheus", release, "amd64", progress)


def test_archive_that_leaves_its_folder_is_refused(tmp_path):
    """An archive must not write elsewhere."""
    (tmp_path / "file").write_text("x")
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.add(tmp_path / "file", "../file")

    with pytest.raises(vendor.VendorError, match=r"wants to write to \.\./file"):
        vendor.unpack(tmp_path / "bad.tar", tmp_path / "into")


def test_reachable_hosts_are_told_from_others(release):
    """One that answers counts, one that refuses the connection does not."""
    good = release.url.format(arch="amd64")

    assert probe([good, "http://127.0.0.1:1/"], seconds=3.0) == {good}


def test_host_that_never_answers_does_not_hold_up_the_start():
    """The time for all hosts together is limited."""
    never = threading.Event()

    assert (
        probe(["http://a", "http://b"], is_reachable=lambda url: never.wait(30.0), seconds=0.05)
        == frozenset()
    )

    never.set()


def fake_apt(known, calls):
    """Stand for apt-get, apt-cache and dpkg."""

    def run(command, folder):
        calls.append(command)
        if command[0] == "apt-cache":
            return "".join(f"Package: {name}\nVersion: 1\n\n" for name in known)
        if command[0] == "apt-get" and "download" in command:
            for name in command[command.index("download") + 1 :]:
                (folder / f"{name}_1_amd64.deb").touch()
        if command[0] == "dpkg":
            make_program(
                folder / command[-1] / "usr/bin" / Path(command[-2]).name.partition("_")[0],
                "2.42.0",
            )
        return ""

    return run


def test_debian_packages_are_unpacked_and_not_installed(cache):
    """Only what the mirror knows is asked for, with lists of our own; only the result stays."""
    calls = []

    folder = debian.fetch(cache, DEBIAN, fake_apt([*DEBIAN.packages, "libjs-d3"], calls))

    assert (folder / "usr/bin/prometheus-alertmanager").exists()
    assert [path for path in cache.root.iterdir() if path.suffix != ".lock"] == [folder]
    downloads = [command for command in calls if "download" in command]
    assert downloads[0][-3:] == ["prometheus", "prometheus-alertmanager", "libjs-d3"]
    assert not any("install" in command for command in calls)
    assert all(
        any("Dir::State::lists=" in word for word in command)
        for command in calls
        if command[0] != "dpkg"
    )


def test_mirror_without_the_packages_is_named(cache):
    """A mirror that lacks a package is an error with the package's name."""
    with pytest.raises(debian.DebianError, match="no prometheus-alertmanager; add a full mirror"):
        debian.fetch(cache, DEBIAN, fake_apt(["prometheus"], []))


def test_failing_command_tells_its_last_line(tmp_path):
    """What a command said last is what people read."""
    with pytest.raises(debian.DebianError, match="failed: E: no luck"):
        debian.run(["sh", "-c", "echo first >&2; echo E: no luck >&2; exit 100"], tmp_path)


@pytest.mark.parametrize(
    ("environ", "user", "root"),
    [
        ({"HOME": "/root"}, 0, "/var/cache/fleet"),
        ({"HOME": "/home/a"}, 1000, "/home/a/.cache/fleet"),
        ({"HOME": "/home/a", "XDG_CACHE_HOME": "/big"}, 1000, "/big/fleet"),
        ({"HOME": "/home/a", "XDG_CACHE_HOME": "relative"}, 1000, "/home/a/.cache/fleet"),
    ],
)
def test_cache_lies_where_its_user_can_write(environ, user, root):
    """Root's cache is the system's; everybody else has one of their own."""
    assert decide_cache_root(environ, user) == Path(root)


def test_unusable_cache_is_named(tmp_path):
    """A place that cannot be made is an error with the place and the remedy."""
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "fleet")

    with (
        pytest.raises(CacheError, match=r"file/fleet cannot be written .* XDG_CACHE_HOME"),
        cache.lock("x"),
    ):
        pytest.fail("the lock was given")


def test_leftover_of_a_killed_run_is_removed(cache):
    """A half-made folder does not become part of the next one."""
    (cache.path(".it.new") / "half").mkdir(parents=True)

    with cache.lock("it"), cache.scratch("it") as scratch:
        assert list(scratch.iterdir()) == []


def test_lines_name_version_and_place(find, tmp_path):
    """The one line tells what was taken and where it lies."""
    make_program(tmp_path / "mine" / "prometheus", "3.5.0")
    found, lines = find({"FLEET_PROMETHEUS_HOME": str(tmp_path / "mine")}, ["prometheus"])

    assert lines == [render_program(found["prometheus"])]
    assert lines[0] == f"prometheus 3.5.0 from the folder you named ({tmp_path}/mine/prometheus)"


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


def test_login_of_an_external_program_is_not_reported():
    """The line goes to the terminal, and from there into logs."""
    program = Program("prometheus", origin="external", url="http://me:pw7@prometheus.lan:9090")

    assert "prometheus.lan:9090" in render_program(program)
    assert "pw7" not in render_program(program)
