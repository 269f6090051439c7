"""Outlines, messages and schemas, rendered with the shipped scenarios."""

from __future__ import annotations

import json

import pytest
from fleet_orchestrator.generation.persona import make_persona
from fleet_orchestrator.generation.prompt import (
    EXTRA_EXCHANGE,
    SPEAKERS,
    Line,
    decide_exchanges,
    decide_turns,
    render_beginning,
    render_instruction,
    render_messages,
    render_outline,
    render_rest,
    render_schema,
)

OUTLINE = [Line("agent", "offers help"), Line("customer", "has a question")]


def phase(name, *, is_required=True):
    return {"phase": name, "is_required": is_required, "agent": f"a{name}", "customer": f"c{name}"}


@pytest.mark.parametrize(
    ("limits", "possible"),
    [((6, 8), {6, 8}), ((7, 8), {8}), ((2, 2), {2}), ((7, 7), {7}), ((2, 7), {2, 4, 6})],
)
def test_number_of_turns_is_even_within_its_limits(limits, possible):
    """Where an even number is allowed it is drawn; the same seed draws the same one."""
    drawn = {decide_turns(seed, *limits) for seed in range(50)}

    assert drawn == possible
    assert decide_turns(3, *limits) == decide_turns(3, *limits)


def test_every_length_has_its_outline(definition):
    """Each scenario has lines for 2 to 40 turns: alternating, rendered, the agent first."""
    values = make_persona(definition, 1)["values"]

    for turns in range(2, 41):
        lines = render_outline(definition, values, turns)

        assert [line.speaker for line in lines] == [SPEAKERS[n % 2] for n in range(turns)]
        assert all(line.does.strip() and "{" not in line.does for line in lines)


def test_call_begins_and_ends_as_calls_do(definition):
    """The agent answers for the company and gives a name; the last line closes the call."""
    values = make_persona(definition, 1)["values"]

    for turns in range(2, 41):
        lines = render_outline(definition, values, turns)

        assert values["company"] in lines[0].does
        assert values["agent_name"] in lines[0].does
        assert "goodbye" in lines[-1].does


def test_long_enough_call_has_the_required_phases(definition):
    """From six turns on, the customer says who they are and gets a resolution."""
    values = make_persona(definition, 1)["values"]
    required = [phase for phase in definition["phases"] if phase["is_required"]]

    lines = [line.does for line in render_outline(definition, values, 6)]

    assert len(required) == 3
    assert any(values["customer_name"] in line for line in lines)
    assert render_outline(definition, values, 12)[-2].does == lines[-2]


@pytest.mark.parametrize(
    ("count", "names"),
    [(1, "1"), (2, "15"), (3, "125"), (4, "1235"), (5, "12345"), (7, "1234xx5")],
)
def test_exchanges_for_a_length(count, names):
    """Required phases first, then optional ones in order, then extra ones before the last."""
    phases = [phase(n, is_required=n in "125") for n in "12345"]

    chosen = decide_exchanges(phases, count)

    drawn = "".join("x" if item is EXTRA_EXCHANGE else item["phase"] for item in chosen)
    assert drawn == names


def test_missing_value_is_an_error(billing):
    """A line that names what the persona lacks fails loudly, not with a hole in the sentence."""
    with pytest.raises(Exception, match="'date_of_birth' is undefined"):
        render_outline(billing, {"company": "x", "agent_name": "y", "amount": "1"} | dict.fromkeys(
            ("customer_name", "visit", "feeling"), "z"), 6)  # fmt: skip


def test_schema_fixes_each_position():
    """Every position has its speaker and its line as constants, and the length its bounds."""
    schema = render_schema(OUTLINE, 220)

    turns = schema["properties"]["turns"]
    assert (turns["minItems"], turns["maxItems"], len(turns["prefixItems"])) == (2, 2, 2)
    for line, item in zip(OUTLINE, turns["prefixItems"], strict=True):
        properties = item["properties"]
        assert properties["speaker"] == {"const": line.speaker}
        assert properties["does"] == {"const": line.does}
        assert properties["text"]["maxLength"] == 220
        assert list(properties) == item["required"]  # models write in this order
        assert item["additionalProperties"] is False


def test_messages_lead_by_example(definition, template):
    """Instruction, the example of the scenario as asked and answered, then the call to write."""
    persona = make_persona(definition, 4)
    outline = render_outline(definition, persona["values"], 8)

    system, asked, answered, call = render_messages(template, definition, persona, outline)

    assert [m["role"] for m in (system, asked, answered, call)] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert system["content"] == render_instruction(template)
    turns = json.loads(answered["content"])["turns"]
    assert [turn["text"] for turn in turns] == definition["example"]["texts"]
    assert [turn["speaker"] for turn in turns] == [SPEAKERS[n % 2] for n in range(len(turns))]
    assert all(
        f"{n}. {t['speaker']}: {t['does']}" in asked["content"] for n, t in enumerate(turns, 1)
    )
    assert all(f"{line.speaker}: {line.does}" in call["content"] for line in outline)
    assert "begun" not in call["content"]


def test_written_turns_stand_behind_the_call():
    """Turns that are stored are told with their speakers; without any nothing is added."""
    written = [{"speaker": "agent", "text": "Hello there."}, {"speaker": "customer", "text": "Hi."}]

    assert render_rest(written).endswith("turns that follow:\nagent: Hello there.\ncustomer: Hi.")
    assert render_rest([]) == ""


def test_beginnings_grow():
    """Each is the answer up to the next words, and begins with the one for the turn before."""
    lines, texts = OUTLINE * 2, ['He said "no".', "It's \\ caf\u00e9.", "Bye."]

    beginnings = [render_beginning(lines, texts[:count]) for count in range(4)]

    for count, beginning in enumerate(beginnings):
        turns = json.loads(beginning + '"}]}')["turns"]
        assert [turn["text"] for turn in turns] == [*texts[:count], ""]
        assert [(turn["speaker"], turn["does"]) for turn in turns] == [
            (line.speaker, line.does) for line in lines[: count + 1]
        ]
        assert beginning.startswith(beginnings[max(0, count - 1)])


def test_template_cannot_reach_the_interpreter():
    """Prompts are data: a template that goes for Python's insides is refused."""
    evil = "{% block instruction %}{{ ''.__class__.__mro__ }}{% endblock %}"

    with pytest.raises(Exception, match="unsafe"):
        render_instruction(evil)
