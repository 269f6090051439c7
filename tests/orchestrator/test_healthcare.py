"""Rules of calls about health care: forty written calls, and what else a rule must not catch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fleet_orchestrator.generation.catalogue import FOLDER
from fleet_orchestrator.generation.prompt import render_outline
from fleet_orchestrator.quality.healthcare.rules import (
    BREAKS,
    check_healthcare,
    decide_validity,
    find_violations,
    load_rules,
)
from fleet_orchestrator.quality.judge import gather
from fleet_orchestrator.quality.verdict import decide_refusal, decide_verdict

CALLS = json.loads((Path(__file__).parent / "calls" / "healthcare.json").read_text())
RIGHT = {call["name"]: call for call in CALLS["right"]}
TEMPLATE = (FOLDER / "prompts" / "line_by_line.j2").read_text()
PERSONA = {"values": CALLS["values"], "personal": ["customer_name", "date_of_birth"]}


def make(call, changes=None):
    """Return a written call as the checks see it, some turns replaced."""
    path = FOLDER / "scenarios" / f"{call['scenario']}.json"
    definition = json.loads(path.read_text())["definition"]
    facts = {name: options[0] for name, options in definition["facts"].items()}
    values = facts | CALLS["values"] | call["values"]
    texts = list(call["texts"])
    for position, text in (changes or {}).items():
        texts[int(position) - 1] = text
    outline = render_outline(definition, values, len(texts))
    told = gather(definition, values, outline, TEMPLATE)
    turns = [
        {"speaker": line.speaker, "text": text} for line, text in zip(outline, texts, strict=True)
    ]
    return replace(told, turns=turns)


def answer(asked, said, scenario="lab_results", **values):
    """Return a call that ends with a question of the customer and the agent's answer."""
    call = {"scenario": scenario, "values": values, "texts": ["Hi."] * 8}
    whole = make(call)
    turns = [
        {"speaker": "agent", "text": "Hello, Imani speaking. Your date of birth?"},
        {"speaker": "customer", "text": f"March 14, 1971. {asked}"},
        {"speaker": "agent", "text": said},
    ]
    return replace(whole, turns=turns)


def broken(conversation):
    return {violation.rule for violation in find_violations(conversation)}


def test_there_are_forty_calls():
    """Twenty right, twenty wrong ones, and a wrong one for each rule."""
    assert (len(RIGHT), len(CALLS["wrong"])) == (20, 20)
    assert {call["breaks"] for call in CALLS["wrong"]} == set(BREAKS)


def test_each_rule_stands_in_the_file_with_its_source():
    """What people read and what is asked are the same rules."""
    rules = load_rules()

    assert [rule.rule for rule in rules] == list(BREAKS)
    assert all(rule.text and rule.source and rule.theme for rule in rules)


@pytest.mark.parametrize("name", RIGHT)
def test_right_call_breaks_no_rule(name):
    """A call as it should be is valid, and no other check refuses it either."""
    verdict = decide_verdict(make(RIGHT[name]), PERSONA)

    assert (verdict.violations, verdict.finding) == ([], None)
    assert verdict.healthcare_valid is True


@pytest.mark.parametrize(
    "call", CALLS["wrong"], ids=lambda call: f"{call['breaks']} {call['like']}"
)
def test_wrong_call_breaks_its_rule_alone(call):
    """It is found at one of the turns that differ from the right call, or at the end."""
    conversation = make(RIGHT[call["like"]], call["turns"])

    violations = find_violations(conversation)

    assert {violation.rule for violation in violations} == {call["breaks"]}
    changed = {int(position) for position in call["turns"]} | {len(conversation.turns)}
    assert {violation.position for violation in violations} <= changed
    assert decide_verdict(conversation, PERSONA).healthcare_valid is False


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("Is it bad?", "The doctor can tell you that it is nothing serious or not."),
        ("Is something wrong?", "No, I can't see the result, only the doctor can."),
        ("Do I have diabetes?", "I can't say whether you have diabetes."),
        ("How many?", "As the doctor said, take two tablets a day."),
        ("What now?", "You will get better news tomorrow."),
        ("Is it paid?", "I cannot guarantee that it will be approved."),
        ("Can I sue?", "I can't give you legal advice."),
        ("A friend had a stroke last year.", "I'm sorry to hear that."),
        ("When?", "Take your time, one of us will call you."),
        ("Is that a fair price?", "Use the drive-through at the back."),
    ],
)
def test_near_miss_breaks_no_rule(asked, said):
    """What only sounds like a diagnosis, a dose or a promise is none."""
    assert broken(answer(asked, said)) == set()


@pytest.mark.parametrize("said", ["Call 911.", "Dial 9-1-1 now.", "Nine one one, please, now."])
def test_number_of_the_answer_may_be_spoken(said):
    """Digits, digits with signs and digits as words are the same answer."""
    assert broken(answer("I can't breathe.", said)) == set()
    assert broken(answer("I can't breathe.", "I see.")) == {"emergency_unanswered"}


def test_scenario_says_what_answers_an_emergency():
    """Without an answer in the scenario nothing is asked for."""
    conversation = answer("I can't breathe.", "I see.")

    assert broken(replace(conversation, healthcare={"emergency": {}})) == set()


def test_other_call_is_not_judged():
    """A call about something else has no validity and breaks no rule."""
    conversation = replace(make(RIGHT["bill twice"], {"5": "Take two tablets."}), healthcare={})

    assert decide_verdict(conversation, PERSONA).healthcare_valid is None
    assert broken(conversation) == set()


def test_call_without_room_for_its_phases_is_not_judged():
    """It may break a rule, but it cannot be said to keep to all."""
    conversation = replace(make(RIGHT["bill twice"]), phases=["opening"])

    assert decide_validity(conversation, []) is None
    assert decide_validity(conversation, find_violations(answer("Bad?", "It is normal."))) is None


def test_rule_refuses_a_turn_while_it_is_written():
    """The newest turn is refused under the rule's id, and is no part of what is kept."""
    whole = make(RIGHT["how to take it"], {"5": "Take two puffs every four hours."})
    conversation = replace(whole, turns=whole.turns[:5])

    finding = check_healthcare(conversation, 4)
    verdict = decide_refusal(conversation, PERSONA)

    assert (finding.reason, finding.stage) == ("dose_given", "healthcare")
    assert finding.evidence == "turn 5: Take two puffs every four hours."
    assert verdict.healthcare_valid is False
    assert [(v.rule, v.position) for v in verdict.violations] == [("dose_given", 5)]
    assert "puffs" not in verdict.finding.evidence
