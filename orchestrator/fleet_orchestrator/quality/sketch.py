"""
What the database compares conversations by: numbers of words, and MinHash bands to find them by.

Bands need `datasketch` (the extra `quality`). Without it a conversation has none, the stage of near
copies is left out, and a node that has it adds them later.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet_orchestrator.quality.scrub import MASK, scrub
from fleet_orchestrator.quality.similarity import (
    compare,
    number,
    number_words,
    read_shingles,
    read_turns,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_orchestrator.quality.similarity import Turn

CAN_FIND_NEAR_COPIES = importlib.util.find_spec("datasketch") is not None
ROWS = 4  # minima a band: pairs that share half of their shingles meet in one of 16
SPEAKERS = ("agent", "customer")  # of a worked example, in turn


@dataclass(frozen=True)
class Method:
    """How bands are made. Bands of two methods never meet."""

    shingle_words: int
    permutations: int

    @property
    def name(self) -> str:
        """What stands beside bands in the database; with the scheme and seed of the minima."""
        return f"{self.shingle_words} words, {self.permutations} permutations, affine32, seed 1"


@dataclass(frozen=True)
class Sketch:
    """
    One conversation, as the search for copies sees it.

    `method` is empty where there are no bands; `example_similarity` is that to the worked example
    of the prompt.
    """

    method: str
    words: list[int]
    bands: list[int]
    example_similarity: float


def find_method(
    settings: dict[str, Any], *, is_installed: bool = CAN_FIND_NEAR_COPIES
) -> Method | None:
    """Return how bands are to be made; None where datasketch is not installed."""
    if not is_installed:
        return None
    return Method(settings["duplicate_shingle_words"], settings["duplicate_permutations"])


def make_sketch(
    turns: Sequence[dict[str, str]],
    scrubbed: Sequence[str],
    persona: dict[str, Any],
    definition: dict[str, Any],
    method: Method | None,
) -> Sketch:
    """Return the sketch of a conversation whose personal values are masked in `scrubbed`."""
    speakers = [turn["speaker"] for turn in turns]
    spoken = read_turns(speakers, _mask_company(scrubbed, persona["values"]))
    words = number_words(spoken)
    return Sketch(
        method=method.name if method else "",
        words=sorted(words),
        bands=find_bands(spoken, method) if method else [],
        example_similarity=compare(words, _read_example(definition, persona["personal"])),
    )


def find_bands(turns: list[Turn], method: Method) -> list[int]:
    """Return the hash of each band of minima; equal ones make two conversations candidates."""
    from datasketch import MinHash  # noqa: PLC0415 - optional, and slow to load

    minima = MinHash(num_perm=method.permutations, seed=1, scheme="affine32")
    minima.update_batch(read_shingles(turns, method.shingle_words))
    bands = method.permutations // ROWS
    rows = minima.hashvalues[: bands * ROWS].reshape(bands, ROWS).tolist()
    return [number(f"{method.name} {place} {row}".encode()) for place, row in enumerate(rows)]


def _read_example(definition: dict[str, Any], personal: list[str]) -> set[int]:
    """Return the numbers of the words of the worked example, its people masked as ours are."""
    values, texts = definition["example"]["values"], definition["example"]["texts"]
    persona = {"values": values, "personal": [name for name in personal if name in values]}
    scrubbed = [scrub(text, persona) for text in texts]
    speakers = [SPEAKERS[place % 2] for place in range(len(texts))]
    return number_words(read_turns(speakers, _mask_company(scrubbed, values)))


def _mask_company(texts: Sequence[str], values: dict[str, Any]) -> list[str]:
    """Return the texts with the company's name masked too, which scrubbing leaves in."""
    words = re.findall(r"\w+", values.get("company", ""))
    if not words:
        return list(texts)
    pattern = re.compile(r"\b" + r"\W+".join(map(re.escape, words)) + r"\b", re.IGNORECASE)
    return [pattern.sub(MASK, text) for text in texts]
