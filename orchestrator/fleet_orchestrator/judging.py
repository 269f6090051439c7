"""Judge conversations that wait for a verdict, and store what came of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg

from fleet_orchestrator.quality.judge import judge
from fleet_orchestrator.quality.sketch import find_method, make_sketch
from fleet_orchestrator.store import LostLeaseError

if TYPE_CHECKING:
    from fleet_orchestrator.quality.sketch import Method
    from fleet_orchestrator.store import Store, Unjudged

logger = logging.getLogger("fleet_orchestrator.worker")  # one name for what the worker does
BATCH = 10


def judge_batch(store: Store) -> bool:
    """Judge some of those that wait; return whether there were any. Raises OperationalError."""
    batch = store.claim_judgements(BATCH)
    method = find_method(store.settings()[1]) if batch else None
    for unjudged in batch:
        _judge_one(store, unjudged, method)
    return bool(batch)


def sketch_batch(store: Store) -> bool:
    """
    Sketch accepted conversations that have no bands of the method in force.

    Those are judged where datasketch is not installed, or before a setting was changed. Return
    whether there were any. Raises OperationalError.
    """
    method = find_method(store.settings()[1])
    stale = store.stale_sketches(method.name, BATCH) if method else []
    for one in stale:
        sketch = make_sketch(one.turns, one.scrubbed, one.persona, one.definition, method)
        store.store_sketch(one.conversation_id, sketch)
    return bool(stale)


def _judge_one(store: Store, unjudged: Unjudged, method: Method | None) -> None:
    """Store the verdict on one conversation. Raises OperationalError."""
    extra = {"conversation_id": unjudged.conversation_id}
    try:
        verdict = judge(unjudged)
        if not verdict.finding:
            sketch = make_sketch(
                unjudged.turns, verdict.scrubbed, unjudged.persona, unjudged.definition, method
            )
            store.store_sketch(unjudged.conversation_id, sketch)
        state = store.store_verdict(unjudged.conversation_id, verdict)
    except LostLeaseError:
        logger.warning("Another worker judged this conversation.", extra=extra)
    except psycopg.OperationalError:
        raise
    except Exception:  # the next conversation is judged all the same
        logger.exception("Failed to judge a conversation.", extra=extra)
    else:
        reason = verdict.finding and verdict.finding.reason
        logger.info("Judged a conversation.", extra=extra | {"state": state, "reason": reason})
