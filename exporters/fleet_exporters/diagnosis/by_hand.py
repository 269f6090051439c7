"""
Find the commands that show by hand what a sensor family reads.

They stand where the family is read, in the docstring of its module, after `By hand:`.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet_exporters.sample import Read

# The sentence after the mark; a point within a command ends no sentence.
SENTENCE = re.compile(r"By hand: ((?:`[^`]*`|[^`.]|\.(?!\s|$))*)")
COMMAND = re.compile(r"`([^`]+)`")


def parse(docstring: str) -> str:
    """Return the commands, ready for a shell; empty when none are named."""
    sentence = SENTENCE.search(docstring)
    commands = COMMAND.findall(sentence[1]) if sentence else []
    return "; ".join(" ".join(command.split()) for command in commands)


def find(read: Read) -> str:
    """Return the commands of the module that a family's function comes from."""
    module = getattr(read, "__module__", "")
    return parse(importlib.import_module(module).__doc__ or "") if module else ""
