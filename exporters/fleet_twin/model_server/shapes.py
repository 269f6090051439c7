"""The JSON of llama.cpp's server: chunks, whole answers, pages. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet_twin.faults import MODEL_FAILING, MODEL_MISSING

if TYPE_CHECKING:
    from fleet_twin.model_server.behaviour import Behaviour
    from fleet_twin.model_server.generation import Piece
    from fleet_twin.model_server.slots import Slot

OTHER_MODEL = "another-model-q4_k_m"
LOGIN_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Welcome to the guest"
    b" network</h1><form method=post><input name=room><input name=surname></form></body></html>\n"
)


def render_chunk(name: str, model: str, **rest: Any) -> dict[str, Any]:
    """Return a chunk of a stream."""
    return {
        "choices": [],
        "created": 1767225600,
        "id": name,
        "model": model,
        "object": "chat.completion.chunk",
        **rest,
    }


def render_choice(delta: dict[str, Any], finish_reason: str | None = None) -> list[dict[str, Any]]:
    """Return the only choice of a chunk."""
    return [{"finish_reason": finish_reason, "index": 0, "delta": delta}]


def render_whole(name: str, model: str, text: str, ends_by: str, last: Piece) -> dict[str, Any]:
    """Return an answer that is not streamed."""
    message = {"role": "assistant", "content": text}
    choice = {"finish_reason": ends_by, "index": 0, "message": message}
    return render_chunk(
        name,
        model,
        object="chat.completion",
        choices=[choice],
        usage=render_usage(last),
        timings=render_timings(last),
    )


def render_usage(piece: Piece) -> dict[str, Any]:
    """Return what an answer has cost in tokens."""
    prompt = piece.read_tokens + piece.cached_tokens
    return {
        "completion_tokens": piece.written_tokens,
        "prompt_tokens": prompt,
        "total_tokens": prompt + piece.written_tokens,
        "prompt_tokens_details": {"cached_tokens": piece.cached_tokens},
    }


def render_timings(piece: Piece) -> dict[str, Any]:
    """Return what llama.cpp tells with each piece: tokens, milliseconds."""
    return {
        "cache_n": piece.cached_tokens,
        "prompt_n": piece.read_tokens,
        "prompt_ms": round(piece.read_seconds * 1000, 3),
        "predicted_n": piece.written_tokens,
        "predicted_ms": round(piece.written_seconds * 1000, 3),
    }


def render_error(message: str, kind: str, code: int) -> dict[str, Any]:
    """Return an error as llama.cpp tells it."""
    return {"error": {"code": code, "message": message, "type": kind}}


def find_problem(behaviour: Behaviour) -> tuple[str, str, int] | None:
    """Return why no call can be answered, as render_error takes it; None where it can."""
    if MODEL_MISSING in behaviour.faults:
        return f"model '{behaviour.model}' not found", "invalid_request_error", 404
    if MODEL_FAILING in behaviour.faults:
        return "failed to load model: out of memory", "server_error", 500
    return None


def render_slots(slots: list[Slot], behaviour: Behaviour) -> list[dict[str, Any]]:
    """Return the page /slots."""
    return [
        {
            "id": slot.number,
            "id_task": slot.task,
            "n_ctx": behaviour.context_tokens,
            "is_processing": slot.is_busy,
        }
        for slot in slots
    ]


def render_models(behaviour: Behaviour, *, has_model: bool) -> dict[str, Any]:
    """Return the page /models of a router, which is /v1/models as well."""
    status = {"value": "loaded" if has_model else "unloaded"}
    name = OTHER_MODEL if MODEL_MISSING in behaviour.faults else behaviour.model
    model = {"id": name, "object": "model", "owned_by": "llamacpp", "status": status}
    return {"object": "list", "data": [model]}


def render_props(behaviour: Behaviour) -> dict[str, Any]:
    """Return the page /props."""
    return {
        "default_generation_settings": {"n_ctx": behaviour.context_tokens},
        "total_slots": behaviour.slots,
        "model_path": behaviour.model,
    }
