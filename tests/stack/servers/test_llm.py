"""When the model server of ours can run, and with how many threads."""

from __future__ import annotations

import pytest
from fleet_stack.servers import llm


def test_processor_without_avx2_is_refused_in_words():
    """Without the check the server would die with SIGILL and say nothing."""
    flags = llm.parse_flags("processor\t: 0\nflags\t\t: fpu sse4_2 avx\n")

    assert "no AVX2" in llm.decide_objection("x86_64", flags)


@pytest.mark.parametrize(
    ("machine", "flags"), [("x86_64", {"avx", "avx2"}), ("x86_64", set()), ("aarch64", {"asimd"})]
)
def test_other_processors_are_accepted(machine, flags):
    """Only a processor that is known to lack AVX2 is refused."""
    assert llm.decide_objection(machine, frozenset(flags)) is None


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 7)])
def test_one_core_is_left_to_the_others(cores, threads):
    """Threads that wait for a busy core make the model ten times slower."""
    assert llm.decide_threads(cores) == threads


@pytest.mark.parametrize("arguments", [[], ["model.gguf"], ["model.gguf", "port"]])
def test_wrong_arguments_show_the_usage(arguments, capsys):
    """A wrong command line ends with exit code 2."""
    assert llm.main(arguments) == 2
    assert "usage:" in capsys.readouterr().err
