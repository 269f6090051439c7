"""
Find graphics cards in sysfs and give them numbers that no other card of the machine has.

NVML counts NVIDIA's cards from 0; AMD's come after as many as the PCI bus shows of NVIDIA, Intel's
after both. So the numbers hold although each maker is read in a thread of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_exporters.collectors.members import Failures, explain
from fleet_exporters.collectors.sysfs import read_number, read_text, read_word
from fleet_exporters.errors import NoDevice, SensorError
from fleet_exporters.sample import Dropped, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NVIDIA, AMD, INTEL = "0x10de", "0x1002", "0x8086"
ORDER = (NVIDIA, AMD, INTEL)
DISPLAY_CLASS = "0x03"  # PCI class of VGA, 3D and other display controllers


def count_before(root: Path, vendor: str) -> int:
    """Return how many display controllers the makers before this one have on the PCI bus."""
    earlier = ORDER[: ORDER.index(vendor)]
    return sum(
        read_word(device / "class").startswith(DISPLAY_CLASS)
        and read_word(device / "vendor") in earlier
        for device in root.glob("bus/pci/devices/*")
    )


def find_cards(root: Path, vendor: str) -> dict[str, Path]:
    """Return the device folder of each card of a maker by its PCI address, in that order."""
    found = {}
    for card in root.glob("class/drm/card*"):
        device = card / "device"
        # card0-DP-1 is a plug of card0.
        if card.name.removeprefix("card").isdecimal() and read_word(device / "vendor") == vendor:
            found[device.resolve().name] = device
    return dict(sorted(found.items()))


class Cards:
    """The cards of one maker; one that was there keeps its number, and is lost when it goes."""

    def __init__(self, root: Path, vendor: str, is_readable: Callable[[Path], bool]) -> None:
        self._root = root
        self._vendor = vendor
        self._is_readable = is_readable
        self._numbers: dict[str, str] = {}

    def read(
        self, read_card: Callable[[Path, str, Files], Iterator[Sample]]
    ) -> Iterator[Sample | Dropped]:
        """Yield what each card tells; raises NoDevice without one, SensorError if all are lost."""
        cards = {
            address: device
            for address, device in find_cards(self._root, self._vendor).items()
            if address in self._numbers or self._is_readable(device)
        }
        if not cards and not self._numbers:
            raise NoDevice(f"no graphics card of maker {self._vendor} with sensors in sysfs")
        first = count_before(self._root, self._vendor)
        for address in cards:
            self._numbers.setdefault(address, str(first + len(self._numbers)))
        lost = []
        for address, gpu in self._numbers.items():
            try:
                if address not in cards:
                    raise SensorError("gone")  # noqa: TRY301 - as a card that fails
                files = Files(gpu)
                yield from read_card(cards[address], gpu, files)
                yield from files.end()
            except (OSError, SensorError) as exc:
                lost.append(Dropped(f"gpu {gpu} at {address}", explain(exc)))
                yield Sample("fleet_gpu_up", {"gpu": gpu}, 0)
            else:
                yield Sample("fleet_gpu_up", {"gpu": gpu}, 1)
        if len(lost) == len(self._numbers):
            raise SensorError("; ".join(map(str, lost)))
        yield from lost


class Files:
    """Reads one card's files, each for itself; the card is lost if they fail and none answers."""

    def __init__(self, gpu: str) -> None:
        self._failures = Failures(f"gpu {gpu}")

    def number(self, *paths: Path, scale: float = 1.0) -> float | None:
        """Return the first number that is there, times `scale`."""
        for path in paths:
            try:
                value = read_number(path, scale)
            except SensorError as exc:
                self._failures.add(path.name, str(exc))
            else:
                if value is not None:
                    self._failures.has_answered = True
                    return value
        return None

    def text(self, path: Path) -> str | None:
        """Return the text if there is one; it may outlive the card, and is no answer of it."""
        try:
            return read_text(path)
        except SensorError as exc:
            self._failures.add(path.name, str(exc))
            return None

    def end(self) -> list[Dropped]:
        """Return what has failed. Raises SensorError if nothing has answered."""
        return self._failures.end()


def read_info(device: Path, gpu: str, maker: str, files: Files) -> Sample:
    """Return which card this is: the board's name if it has one, else its PCI device number."""
    number = files.text(device / "device") or "unknown"
    name = files.text(device / "product_name") or f"{maker} GPU {number}"
    uuid = files.text(device / "unique_id") or device.resolve().name
    return Sample("fleet_gpu_info", {"gpu": gpu, "name": name, "uuid": uuid}, 1)
