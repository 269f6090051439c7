"""Read each member of a family for itself: a mount, a card, a zone; one that fails is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fleet_exporters.errors import SensorError
from fleet_exporters.sample import Dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Member = TypeVar("Member")
Item = TypeVar("Item")


def read_each(
    members: Iterable[Member],
    read: Callable[[Member], Iterable[Item]],
    name: Callable[[Member], str] = str,
) -> Iterator[Item | Dropped]:
    """Yield what each member gives; of one that fails what it gave before, and why it failed."""
    for member in members:
        try:
            yield from read(member)
        except Exception as exc:  # noqa: BLE001 - drivers raise what they like
            yield Dropped(name(member), explain(exc))


def split_dropped(items: Iterable[Item | Dropped]) -> tuple[list[Item], list[Dropped]]:
    """Return what the members gave, and what of them failed."""
    found: list[Item] = []
    dropped: list[Dropped] = []
    for item in items:
        if isinstance(item, Dropped):
            dropped.append(item)
        else:
            found.append(item)
    return found, dropped


class Failures:
    """What of one card could not be read."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._dropped: list[Dropped] = []
        self.has_answered = False

    def add(self, what: str, why: str) -> None:
        """Note that a file or a function has failed."""
        self._dropped.append(Dropped(f"{self._owner} {what}", why))

    def end(self) -> list[Dropped]:
        """Return the failures and begin anew. Raises SensorError if nothing has answered."""
        dropped, has_answered = self._dropped, self.has_answered
        self._dropped, self.has_answered = [], False
        if dropped and not has_answered:
            raise SensorError(f"answers nothing: {dropped[0].why}")
        return dropped


def explain(problem: Exception) -> str:
    """Return why a member could not be read, without the path that names it already."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem) or type(problem).__name__
