"""
Serve one model file over HTTP with llama.cpp.

`python -m fleet_stack.servers.llm MODEL PORT`.

OpenAI-compatible at /v1, with /health, /metrics and /slots; on loopback only. Run by supervisor.
SIGUSR1 unloads the model: the process becomes `llm_unloaded`, which holds none.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
from pathlib import Path

from fleet_timescale.errors import FleetError

from fleet_stack.servers.llm_unloaded import become

CONTEXT_TOKENS = 8192
SLOTS = 1
# For prompts that give way to others: about 17 conversations of the 0.5B model, so that instruction
# and example of a scenario are not read again for each conversation. Its default is 8 GB.
PROMPT_CACHE_MIB = 256


class ModelServerError(FleetError):
    """The model server cannot run on this machine."""


def parse_flags(cpuinfo: str) -> frozenset[str]:
    """Return the flags of the first processor in /proc/cpuinfo."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return frozenset()


def decide_objection(machine: str, flags: frozenset[str]) -> str | None:
    """Return why llama.cpp cannot run here, or None: without AVX2 it would crash."""
    if machine in {"x86_64", "AMD64"} and flags and "avx2" not in flags:
        return (
            "this processor has no AVX2, which the built-in model server needs; "
            "set FLEET_LLM=URL to a model server elsewhere and run `./fleet up` again"
        )
    return None


def decide_threads(cores: int) -> int:
    """
    Return the number of threads that write; one core stays free.

    They wait for each other at each token. Prompts are read by all cores, in large pieces.
    """
    return max(1, cores - 1)


def serve(model: Path, port: int) -> None:
    """Serve until SIGTERM. Raises ModelServerError when llama.cpp cannot be loaded."""
    try:
        import xllamacpp  # noqa: PLC0415 - on a processor without AVX2 loading it would crash
    except ImportError as exc:
        raise ModelServerError(
            f"llama.cpp cannot be loaded: {exc}; on Debian run: apt-get install libgomp1"
        ) from exc
    again = (str(model), str(port))
    signal.signal(signal.SIGUSR1, lambda *_: become("fleet_stack.servers.llm_unloaded", *again))
    settings = xllamacpp.CommonParams()
    settings.model.path = str(model)
    settings.model_alias = {model.stem}
    settings.hostnames, settings.port = ["127.0.0.1"], port
    settings.n_ctx, settings.n_parallel = CONTEXT_TOKENS, SLOTS
    cores = os.cpu_count() or 1
    settings.cpuparams.n_threads = decide_threads(cores)
    settings.cpuparams_batch.n_threads = cores
    settings.endpoint_metrics = settings.endpoint_slots = settings.endpoint_props = True
    settings.cache_ram_mib = PROMPT_CACHE_MIB
    server = xllamacpp.Server(settings)
    # Its own way to end waits for the running request, for half a minute or more.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    print(f"llama.cpp serves {model.name} at {server.listening_address}", flush=True)  # noqa: T201
    while True:
        signal.pause()


def main(arguments: list[str]) -> int:
    """Run the command."""
    try:
        path, port = Path(arguments[0]), int(arguments[1])
    except (IndexError, ValueError):
        print("usage: python -m fleet_stack.servers.llm MODEL PORT", file=sys.stderr)  # noqa: T201
        return 2
    cpuinfo = Path("/proc/cpuinfo")
    flags = parse_flags(cpuinfo.read_text()) if cpuinfo.exists() else frozenset()
    try:
        objection = decide_objection(platform.machine(), flags)
        if objection:
            raise ModelServerError(objection)
        serve(path, port)
    except FleetError as exc:
        print(f"fleet: {exc}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
