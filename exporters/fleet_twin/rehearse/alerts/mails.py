"""The mails of Alertmanager, as the catcher of the home keeps them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SUBJECT = re.compile(r"^\[(FIRING|RESOLVED)[^\]]*\] (\w+)")
SECTION = re.compile(r"^(FIRING|RESOLVED)\b.*\(\d+\)$")
WHERE = re.compile(r"^\* (\S+)(.*)$")
WORD = re.compile(r"[\w-]+")
SINCE = re.compile(r"^  (?:since|until): (.*)$")


@dataclass(frozen=True)
class Mail:
    """One mail: its alert, what it says of it, and when it lay there (Unix time)."""

    at: float
    alert: str
    firing: frozenset[str]  # all words about what fires
    said: frozenset[tuple[str, ...]]  # about which machine, since when

    def tells_of(self, alert: str, where: str | None) -> bool:
        """Tell whether it says that an alert fires, with this word where one is given."""
        is_there = where is None or where in self.firing
        return alert == self.alert and bool(self.firing) and is_there


def parse(content: bytes, at: float) -> Mail | None:
    """Return what a mail says; None where it is not one of Alertmanager's."""
    message = message_from_bytes(content, policy=policy.default)
    found = SUBJECT.match(str(message["Subject"] or ""))
    part = message.get_body(("plain",))
    if found is None or part is None:
        return None
    section, entry = "", ("", "")
    firing, said = set(), set()
    for line in str(part.get_content()).splitlines():
        if section == "FIRING" and not SECTION.match(line):
            firing.update(WORD.findall(line))
        if begun := SECTION.match(line):
            section = begun[1]
        elif place := WHERE.match(line):
            entry = (place[1], place[2])
        elif since := SINCE.match(line):
            said.add((section, *entry, since[1]))
    return Mail(at, found[2], frozenset(firing), frozenset(said))


class MailFolder:
    """Reads each mail once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = {path.name for path in folder.glob("*.eml")}
        self.mails: list[Mail] = []

    def look(self) -> None:
        """Read what has come since the last look."""
        for path in sorted(self._folder.glob("*.eml")):
            if path.name in self._seen:
                continue
            self._seen.add(path.name)
            mail = parse(path.read_bytes(), path.stat().st_mtime)
            if mail is not None:
                self.mails.append(mail)


def list_doubled(mails: list[Mail]) -> list[Mail]:
    """Return the mails that say nothing but what one before them has said."""
    known: set[tuple[str, frozenset[tuple[str, ...]]]] = set()
    doubled = []
    for mail in mails:
        key = (mail.alert, mail.said)
        if key in known:
            doubled.append(mail)
        known.add(key)
    return doubled
