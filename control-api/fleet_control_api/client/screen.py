"""Where answers and errors go: a terminal, or a pipe without colours and without line breaks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.markdown import Markdown

from fleet_control_api.client.values import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fleet_control_api.service.errors import ClientError

PIPE_WIDTH = 10_000  # columns: a program that reads a table wants each row in one line


def make_console(file: TextIO) -> Console:
    """Return a console that takes no text for markup."""
    return Console(file=file, highlight=False, markup=False, emoji=False)


def show(shown: RenderableType, file: TextIO) -> None:
    """Print an answer."""
    shown = clean(shown) if isinstance(shown, str) else shown
    console = make_console(file)
    if console.is_terminal:
        # A token or an address is copied whole only where no line break is put into it.
        console.print(shown, soft_wrap=isinstance(shown, str))
    else:
        file.write(render_plain(shown))


def render_plain(shown: RenderableType) -> str:
    """Return an answer as plain text, Markdown as it was written."""
    if isinstance(shown, Markdown):
        return shown.markup
    paper = io.StringIO()
    Console(
        file=paper, width=PIPE_WIDTH, highlight=False, markup=False, emoji=False,
        force_terminal=False, color_system=None,
    ).print(shown)  # fmt: skip
    return "".join(f"{line.rstrip()}\n" for line in paper.getvalue().splitlines())


def render_error(error: ClientError) -> str:
    """Return what went wrong, and in a second line what to do."""
    remedy = f"       {clean(error.remedy)}\n" if error.remedy else ""
    return f"fleet: {clean(str(error))}\n{remedy}"
