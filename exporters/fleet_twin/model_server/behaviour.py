"""What a machine of the twin lets its model server do, and what that asks of the machine."""

from __future__ import annotations

from dataclasses import dataclass

CONTEXT_TOKENS_HALF = 12_000  # with so many tokens in the context a model writes half as fast


@dataclass(frozen=True)
class Behaviour:
    """
    How a model server does at this moment; read anew with each piece of an answer.

    Speeds are those of an empty context, as throttling, owner and faults leave them: tokens of the
    answer that are written and tokens of the prompt that are read, by the second. At 0 it waits.
    Of `faults` (fleet_twin.faults) those count here that change what is said.
    """

    tokens_per_second: float
    prompt_tokens_per_second: float
    model: str
    faults: frozenset[str] = frozenset()
    slots: int = 1
    context_tokens: int = 8192  # of one slot

    def decide_speed(self, context_tokens: int) -> float:
        """Return the tokens of an answer by the second, behind so many tokens."""
        return self.tokens_per_second / (1 + context_tokens / CONTEXT_TOKENS_HALF)


@dataclass(frozen=True)
class Load:
    """What a model server asks of its machine; the tokens are all since its start."""

    busy_slots: int = 0  # that read a prompt or write an answer, or are stuck in doing so
    has_model: bool = True  # in memory
    prompt_tokens: int = 0
    completion_tokens: int = 0
