"""
The bridge itself: take what Alertmanager tells, send it, remember what became of it.

`take` runs in the threads of the HTTP server, `send_due` in one thread of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_sms import cap, courier
from fleet_sms.metrics import Metrics
from fleet_sms.spool import Done, Message, Spool, make_message
from fleet_sms.text import Notice, render_rest

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_sms.provider import Call, Provider

logger = logging.getLogger(__name__)

RETRY_SECONDS, RETRY_SECONDS_MAX = 1.0, 300.0
EXPIRE_SECONDS = 4 * 3600.0  # Alertmanager reminds hourly; older news wakes nobody
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Trial:
    """How often a message was tried, and when it is due again."""

    count: int = 0
    due_at: float = 0.0


@dataclass
class Bridge:
    """Everything between a webhook and a provider."""

    provider: Provider
    spool: Spool
    metrics: Metrics = field(default_factory=Metrics)
    send: Callable[[Call], courier.Answer] = courier.send
    clock: Callable[[], float] = time.time
    lock: threading.Lock = field(default_factory=threading.Lock)
    new: threading.Event = field(default_factory=threading.Event)
    trials: dict[str, Trial] = field(default_factory=dict)

    def take(self, notice: Notice) -> str:
        """
        Keep a notice for each number; return what became of it: queued, repeated, held_back.

        Raises OSError and SpoolFullError: Alertmanager then tries again.
        """
        now = self.clock()
        with self.lock:
            state = self.spool.read_state()
            if cap.is_repeated(state, notice, now):
                return self._count("repeated")
            state, may_go = cap.take(state, notice, now, self.provider.per_hour)
            if may_go:
                self._queue(notice.alertname, notice.state, notice.text, now)
            self.spool.store_state(state)
        self.new.set()
        return self._count("queued" if may_go else "held_back")

    def _count(self, fate: str) -> str:
        self.metrics.taken.labels(fate).inc()
        return fate

    def _queue(self, alertname: str, state: str, text: str, now: float) -> None:
        for number in self.provider.numbers:
            self.spool.add(make_message(alertname, state, number, text, now))

    def tell_rest(self) -> None:
        """Queue the one message for all that was held back, when there is a token for it."""
        now = self.clock()
        with self.lock:
            before = self.spool.read_state()
            if not before.held:
                return
            state, rest = cap.take_rest(before, now, self.provider.per_hour)
            if rest:
                self._queue(", ".join(rest), "more", render_rest(rest), now)
                self.spool.store_state(state)

    def send_due(self) -> None:
        """Send what is due, oldest first; one number that fails holds up no other."""
        waiting = self.spool.list_waiting()
        for message in waiting:
            trial = self.trials.get(message.message_id, Trial())
            if trial.due_at <= self.clock():
                self._try(message, trial)
        left = {message.message_id for message in self.spool.list_waiting()}
        self.trials = {one: trial for one, trial in self.trials.items() if one in left}
        self.metrics.waiting.set(len(left))
        self.metrics.untold.set(self.spool.count_done())

    def _try(self, message: Message, trial: Trial) -> None:
        now = self.clock()
        if now - message.queued_at > EXPIRE_SECONDS:
            self._finish(message, trial.count, "expired", "could not be sent for four hours")
            return
        answer = self.send(self.provider.render(message.number, message.text))
        count = trial.count + 1
        if answer.is_sent:
            self._finish(message, count, "sent", "")
        elif answer.is_final:
            self._finish(message, count, "refused", answer.reason)
        else:
            backoff = min(RETRY_SECONDS * 2.0 ** (count - 1), RETRY_SECONDS_MAX)
            wait = max(backoff, min(answer.retry_seconds, RETRY_SECONDS_MAX))
            self.trials[message.message_id] = Trial(count, now + wait)
            self.metrics.failed_tries.inc()
            logger.warning(
                "A text message could not be sent yet.",
                extra={"reason": answer.reason, "tries": count, "again_seconds": wait},
            )

    def _finish(self, message: Message, tries: int, outcome: str, reason: str) -> None:
        self.spool.finish(Done(message, outcome, tries, self.clock(), reason))
        self.metrics.sent.labels(outcome).inc()
        logger.info(
            "A text message is done.",
            extra={"outcome": outcome, "alertname": message.alertname, "reason": reason},
        )

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop; what is new at once."""
        while not stop.is_set():
            self.new.clear()
            try:
                self.tell_rest()
                self.send_due()
            except Exception:
                logger.exception("Text messages could not be worked on.")
                self.metrics.errors.inc()
            self.new.wait(LOOK_SECONDS)
