"""
Model servers that are running already: one that the user names, or those found on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

from fleet_stack.home import StackError, addresses

KNOWN_PORTS = {"LM Studio": 1234, "Ollama": 11434, "llama.cpp": 8080, "vLLM": 8000}
LOCAL_SECONDS = 1.0
NAMED_SECONDS = 10.0


class EndpointError(StackError):
    """A model server cannot be used."""


@dataclass(frozen=True)
class Endpoint:
    """A model server: its address (ends in /v1) and the models it offers, in its order."""

    label: str
    url: str
    models: tuple[str, ...]


Ask = Callable[[str, float], object]


def ask_json(url: str, seconds: float) -> object:
    """Return the JSON at a URL. Raises RequestException, also for what is not JSON."""
    reply = requests.get(url, timeout=seconds)
    reply.raise_for_status()
    return reply.json()


def parse_models(answer: object) -> tuple[str, ...] | None:
    """Return the model names in an answer of /v1/models; None for any other answer."""
    entries = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(entries, list):
        return None
    return tuple(
        str(entry["id"]) for entry in entries if isinstance(entry, Mapping) and "id" in entry
    )


def reach(url: str, ask: Ask = ask_json) -> Endpoint:
    """Return the model server that the user named. Raises EndpointError when it cannot be used."""
    base = addresses.parse_llm("FLEET_LLM", url)
    shown, asked = addresses.hide_login(url), f"{addresses.hide_login(base)}/models"
    try:
        models = parse_models(ask(f"{base}/models", NAMED_SECONDS))
    except requests.RequestException as exc:
        raise EndpointError(
            f"FLEET_LLM is {shown}, but {asked} does not answer ({type(exc).__name__}); "
            "start that server, or set another one; `FLEET_LLM= ./fleet up` takes our own"
        ) from exc
    if not models:
        raise EndpointError(f"FLEET_LLM is {shown}, but {asked} lists no model; load one there")
    return Endpoint("FLEET_LLM", base, models)


def find_local(ask: Ask = ask_json) -> list[Endpoint]:
    """Return the servers on this machine's well-known ports that have a model, in order."""

    def look(label: str, port: int) -> Endpoint | None:
        base = f"http://127.0.0.1:{port}/v1"
        try:
            models = parse_models(ask(f"{base}/models", LOCAL_SECONDS))
        except requests.RequestException:
            return None  # nothing there, or something else
        return Endpoint(label, base, models) if models else None

    with ThreadPoolExecutor(max_workers=len(KNOWN_PORTS)) as threads:
        found = threads.map(look, KNOWN_PORTS, KNOWN_PORTS.values())
        return [endpoint for endpoint in found if endpoint]


def render_offer(found: Sequence[Endpoint]) -> str:
    """Return the command that uses a server found here; empty when there is none."""
    if not found:
        return ""
    others = ", ".join(f"{endpoint.label} ({endpoint.url})" for endpoint in found)
    return f"{others} runs here too; `FLEET_LLM={found[0].url} ./fleet up` uses it"
