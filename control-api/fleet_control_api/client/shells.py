"""`fleet completion`: a few lines for each shell, which ask it again what can follow."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from fleet_control_api.client.cli import make_parser
from fleet_control_api.client.completion import PATIENCE, complete, render_candidates
from fleet_control_api.client.remote import Remote, Token
from fleet_control_api.service.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fleet_control_api.client.place import Place

BASH = r"""# Completion of fleet for bash: eval "$(./fleet completion bash)"
_fleet() {
    local line=${COMP_LINE:0:COMP_POINT} current word
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current=${words[${#words[@]} - 1]}
    COMPREPLY=()
    while IFS=$'\t' read -r word _; do
        # Readline takes a colon for the beginning of another word.
        [[ $current == *:* ]] && word=${word#"${current%"${current##*:}"}"}
        COMPREPLY+=("$word")
    done < <("${words[0]/#\~/$HOME}" completion words -- "${words[@]:1}" 2>/dev/null)
}
complete -o default -F _fleet fleet
"""

ZSH = r"""#compdef fleet
# Completion of fleet for zsh, after compinit: eval "$(./fleet completion zsh)"
_fleet() {
    local -a found
    local word about
    while IFS=$'\t' read -r word about; do
        found+=("${word//:/\\:}:$about")
    done < <("${~words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( $#found )); then
        _describe -V fleet found
    else
        _files
    fi
}
compdef _fleet fleet
"""

FISH = r"""# Completion of fleet for fish: ./fleet completion fish | source
function __fleet_words
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    set -e words[1]
    $program completion words -- $words "$current" 2>/dev/null
end
complete -c fleet -f -a '(__fleet_words)'
complete -c fleet -n 'string match -q -- --out (commandline -opc)[-1]' -F
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def complete_line(
    argv: Sequence[str], commands: Mapping[str, tuple[str, Sequence[str]]], place: Place
) -> int:
    """
    Print the script of a shell; after `words --`, what the last of the words can become.

    `commands` are those that are not the API's, with what each does and its options.
    """
    if list(argv[:2]) == ["words", "--"]:
        try:
            remote = place.connect(PATIENCE)
        except ClientError:
            remote = Remote("", Token(""))  # words can be completed all the same, names cannot
        found = complete(make_whole_parser(commands), argv[2:], remote)
        sys.stdout.write(render_candidates(found))
        return 0
    parser = argparse.ArgumentParser(
        prog="fleet completion",
        description="Print what a shell needs to complete the command line of fleet.",
    )
    parser.add_argument("shell", choices=list(SCRIPTS))
    sys.stdout.write(SCRIPTS[parser.parse_args(argv).shell])
    return 0


def make_whole_parser(
    commands: Mapping[str, tuple[str, Sequence[str]]],
) -> argparse.ArgumentParser:
    """Return the parser of nouns and verbs with the other commands beside them."""
    parser = make_parser()
    nouns = next(action for action in parser._actions if isinstance(action.choices, dict))  # noqa: SLF001 - as in completion.py
    for name, (about, options) in commands.items():
        command = nouns.add_parser(name, help=about, add_help=False)  # type: ignore[attr-defined]
        for option in options:
            command.add_argument(option)
        if name == "completion":
            command.add_argument("shell", choices=list(SCRIPTS))
    return parser
