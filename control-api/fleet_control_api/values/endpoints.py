"""Model servers, as the workers of their nodes see them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from fleet_control_api.values.fields import Answer
from fleet_control_api.values.paging import Listing


class Endpoint(Answer):
    """The model server of one node."""

    node: str
    kind: str = Field(description="llama_cpp, ollama, lm_studio, vllm, openai or unknown.")
    model: str = Field(description="The model that the worker asks for.")
    state: str = Field(description="ready, loading, unloaded, no_model, wedged or unreachable.")
    slots: int | None = Field(description="Calls at once; null: it does not tell.")
    context_tokens: int | None
    models: list[str] = Field(description="The models that it lists.")
    changed_at: datetime
    checked_at: datetime = Field(description="When the worker looked last.")


class Endpoints(Listing):
    """Model servers, by node."""

    endpoints: list[Endpoint]
