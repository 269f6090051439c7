"""NVML for tests: its real names and error codes, and cards that answer what a test says."""

from __future__ import annotations

from fleet_twin.nvml import Codes, NVMLError


class FakeNvml(Codes):
    """
    A card is a dict of answers by function; None is a card that cannot be addressed.

    An answer is a value, an error to raise, or a function of the other arguments. What a card
    lacks raises NOT_SUPPORTED.
    """

    NVML_ERROR_UNKNOWN = 999

    def __init__(self, *cards):
        self.cards = cards
        self.users = 1

    def nvmlDeviceGetCount(self):
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index):
        if self.cards[index] is None:
            raise NVMLError(self.NVML_ERROR_GPU_IS_LOST)
        return self.cards[index]

    def nvmlShutdown(self):
        if self.users == 0:
            raise NVMLError(self.NVML_ERROR_UNINITIALIZED)
        self.users -= 1

    def __getattr__(self, name):
        def ask(card, *arguments):
            answer = card.get(name, NVMLError(self.NVML_ERROR_NOT_SUPPORTED))
            if isinstance(answer, NVMLError):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return ask
