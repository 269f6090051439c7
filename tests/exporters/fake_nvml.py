"""NVML for tests: its real names and error codes, and cards that answer what a test says."""

from __future__ import annotations


class NVMLError(Exception):
    """As in pynvml: carries the code of the C library."""

    def __init__(self, value):
        super().__init__(f"NVML error {value}")
        self.value = value


class FakeNvml:
    """
    A card is a dict of answers by function; None is a card that cannot be addressed.

    An answer is a value, an error to raise, or a function of the other arguments. What a card
    lacks raises NOT_SUPPORTED.
    """

    NVMLError = NVMLError
    NVML_ERROR_UNINITIALIZED = 1
    NVML_ERROR_NOT_SUPPORTED = 3
    NVML_ERROR_NO_PERMISSION = 4
    NVML_ERROR_NOT_FOUND = 6
    NVML_ERROR_FUNCTION_NOT_FOUND = 13
    NVML_ERROR_GPU_IS_LOST = 15
    NVML_ERROR_RESET_REQUIRED = 16
    NVML_ERROR_UNKNOWN = 999
    NVML_TEMPERATURE_GPU = 0
    NVML_TEMPERATURE_THRESHOLD_SLOWDOWN = 1
    NVML_CLOCK_GRAPHICS = 0
    NVML_CLOCK_MEM = 2
    nvmlMemory_v2 = 33554472  # noqa: N815 - its real name

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
