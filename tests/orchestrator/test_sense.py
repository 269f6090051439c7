"""Checks of sense: what each refuses, the near miss, and calls of a real model that were read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fleet_orchestrator.generation.catalogue import FOLDER
from fleet_orchestrator.generation.prompt import render_outline
from fleet_orchestrator.quality import consistency
from fleet_orchestrator.quality.call import Conversation, of_every_turn
from fleet_orchestrator.quality.judge import gather
from fleet_orchestrator.quality.order import CHECKS, SENSE_CHECKS
from fleet_orchestrator.quality.sense import done, flow, knowledge, roles

READ = json.loads((Path(__file__).parent / "calls" / "read.json").read_text())
TEMPLATE = (FOLDER / "prompts" / "line_by_line.j2").read_text()
WHO = {
    "customer_name": "Oscar Larsen",
    "agent_name": "Imani",
    "date_of_birth": "October 9, 1958",
    "reference_number": "KT482913",
}


def talk(*texts, **told):
    """A conversation of these texts, the agent first; it goes on unless the outline ends."""
    turns = [
        {"speaker": ("agent", "customer")[index % 2], "text": text}
        for index, text in enumerate(texts)
    ]
    known = {"outline": ["says something"] * 8, "values": WHO} | told
    return Conversation(turns, min_turns=1, max_turns=8, **known)


def facts(*lines, **values):
    """Outline and values of a call about these facts."""
    return {"outline": [*lines, *["says something"] * 8], "values": WHO | values}


RESULT = facts(
    "hello", "hello", "the lab test was billed apart", why="the lab test was billed apart"
)
SLOT = facts("offers Friday at 10", slot="Friday at 10")
SENT = facts("hello", "a claim", "offers the claim is sent again", remedy="the claim is sent again")
LUNCH = {"example_facts": ["the doctor calls after lunch"]}
BOTH = ["asks for both", "KT482913, born October 9, 1958", "explains", "is glad"]
ENDS = {"outline": ["hello", "goodbye"]}
CASES = [
    (
        "speaks_as_other",
        roles.check_speaker,
        [
            (talk("Hi.", "Your claim was denied."), talk("Your claim was denied.")),
            (talk("Hi.", "I'll check it for you."), talk("Hi.", "I'll check it at home.")),
            (talk("My bill is too high."), talk("Hi.", "My bill is too high.")),
            (talk("What should I do now?"), talk("What can I do for you?")),
            (talk("Hi.", "This is Imani."), talk("This is Imani.", "This is Oscar.")),
            (talk("I'm Oscar."), talk("Hello, Oscar.")),
        ],
    ),
    (
        "speaks_as_other",
        roles.check_echo,
        [
            (
                talk("Hi.", "I can't read it any more.", "So I can\u2019t read it any more."),
                talk("Hi.", "I can't read it any more.", "So you can't read it any more."),
            ),
        ],
    ),
    (
        "addresses_self",
        roles.check_address,
        [
            (talk("Hi.", "Thanks, Oscar, bye."), talk("Hi.", "Thanks, Imani. Oscar here.")),
            (talk("Goodbye, Imani."), talk("Goodbye, Oscar.")),
        ],
    ),
    (
        "known_too_early",
        knowledge.check_known,
        [
            (
                talk("Hi.", "Why was the lab test billed apart?", **RESULT),
                talk("Hi.", "Hi.", "The lab test was billed apart.", "Billed apart?", **RESULT),
            ),
            (talk("Is it about this bill?"), talk("Is it about a bill?", "This bill, yes.")),
        ],
    ),
    (
        "borrowed_fact",
        knowledge.check_borrowed,
        [
            (
                talk("She will call you right after lunch.", **LUNCH, outline=["the doctor calls"]),
                talk("She will call you at noon.", **LUNCH, outline=["the doctor calls"]),
            ),
            (
                talk("The doctor calls after lunch.", **LUNCH),
                talk("The doctor calls after lunch.", **LUNCH, outline=["calls after lunch"]),
            ),
        ],
    ),
    (
        "asked_again",
        knowledge.check_asked_again,
        [
            (
                talk("Born?", "October 9, 1958.", "What is your date of birth?"),
                talk("Born?", "October 9, 1958.", "Could you repeat your date of birth?"),
            ),
            (
                talk("Hi.", "It's KT482913.", "And your member number?"),
                talk("Hi.", "It's KT482913.", "And your date of birth?"),
            ),
        ],
    ),
    (
        "question_unanswered",
        flow.check_answered,
        [
            (
                talk("Hi.", "When is it ready?", "Okay, thank you. Goodbye."),
                talk("Hi.", "When is it ready?", "Okay, thank you. Tomorrow."),
            ),
            (talk("Hi.", "Is it?", "You're welcome."), talk("Hi.", "It is.", "You're welcome.")),
        ],
    ),
    (
        "yes_means_no",
        flow.check_yes,
        [
            (
                talk("Hi.", "Are they there?", "Yes, the lab needs one more day."),
                talk("Hi.", "Are they there?", "Yes, but the lab needs one more day."),
            ),
            (
                talk("Hi.", "Can I have it today?", "Sure, it is out of stock."),
                talk("Hi.", "So it is gone.", "Sure, it is out of stock."),
            ),
        ],
    ),
    (
        "relieved_by_refusal",
        flow.check_relief,
        [
            (
                talk("I can't fill it as it is.", "That's a relief."),
                talk("I can't fill it, but the other branch will.", "That's a relief."),
            ),
        ],
    ),
    (
        "misplaced_courtesy",
        flow.check_greeting,
        [
            (talk("Hi.", "Hi.", "Good morning!"), talk("Good morning!", "Hello!")),
            (talk("Hi.", "Yes.", "You're welcome."), talk("Hi.", "Thanks.", "You're welcome.")),
        ],
    ),
    (
        "early_goodbye",
        flow.check_early_end,
        [
            (
                talk("Hi.", "Thanks, bye.", "Wait.", outline=["x"] * 5),
                talk("Hi.", "Hi.", "Hm.", "Bye.", "Goodbye.", outline=["x"] * 5),
            ),
        ],
    ),
    (
        "no_goodbye",
        flow.check_end,
        [
            (talk("Hi.", "Is it something bad?", **ENDS), talk("Hi.", "All right, bye.", **ENDS)),
            (talk("Hi.", "Thanks. And when?", **ENDS), talk("Hi.", "And when? Thanks.", **ENDS)),
            (talk("Hi.", "All right.", **ENDS), talk("Hi.", "All right.", outline=["x"] * 3)),
        ],
    ),
    (
        "line_not_done",
        done.check_told,
        [
            (talk("Come when you like.", **SLOT), talk("Come on Friday.", **SLOT)),
            (talk("There is room.", **SLOT), talk("There is room at ten.", **SLOT)),
        ],
    ),
    (
        "line_not_done",
        done.check_proofs_told,
        [
            (
                talk("Number, birthday?", "October 9, 1958.", outline=BOTH),
                talk("Number, birthday?", "October 9, 1958, and KT 48 29 13.", outline=BOTH),
            ),
        ],
    ),
    (
        "pasted_line",
        done.check_pasted,
        [
            (
                talk("Hi.", "Hi.", "I can send you a claim is sent again.", **SENT),
                talk("Hi.", "Hi.", "I can have it done: the claim is sent again.", **SENT),
            ),
        ],
    ),
    (
        "amounts_conflict",
        consistency.check_amounts,
        [
            (
                talk("Hi.", "My bill is $240.00.", "Yes, $420.00."),
                talk("Hi.", "My bill is $240.00.", "The correct amount is $420.00."),
            ),
            (talk("It's $86.50.", "$865.00?"), talk("It's $86.50.", "And $50.00 of it?")),
            (talk("It's 130 dollars.", "$310?"), talk("It's $130.00.", "130 dollars?")),
        ],
    ),
    (
        "dates_conflict",
        consistency.check_dates,
        [
            (
                talk("Thursday?", "Yes.", "You are booked for Monday."),
                talk("Thursday?", "Rather Monday.", "You are booked for Monday."),
            ),
            (
                talk("Born?", "October 9, 1958.", "So October 6, 1958."),
                talk("Born?", "October 9, 1958.", "So October 9, 1958. And June 9?"),
            ),
        ],
    ),
]  # fmt: skip
FLAT = [
    pytest.param(reason, check, hit, miss, id=f"{check.__name__}-{number}")
    for reason, check, pairs in CASES
    for number, (hit, miss) in enumerate(pairs)
]


def judge_read(call):
    """Return the reasons that the checks of sense and the rules give for a call that was read."""
    path = FOLDER / "scenarios" / f"{call['scenario']}.json"
    definition = json.loads(path.read_text())["definition"]
    outline = render_outline(definition, call["values"], len(call["texts"]))
    turns = [
        {"speaker": line.speaker, "text": text}
        for line, text in zip(outline, call["texts"], strict=True)
    ]
    told = replace(gather(definition, call["values"], outline, TEMPLATE), turns=turns)
    return [finding.reason for check in CHECKS if (finding := check(told))]


def test_each_check_is_tried():
    """The cases have every check of the list."""
    assert {check for _, check, _ in CASES} == set(SENSE_CHECKS)


@pytest.mark.parametrize(("reason", "check", "hit", "miss"), FLAT)
def test_check_tells_sense_from_its_near_miss(reason, check, hit, miss):
    """The one is refused under the check's reason and with its words, the other passes."""
    finding = of_every_turn(check)(hit)

    assert (finding.reason, finding.stage) == (reason, "checks")
    assert finding.evidence.partition(": ")[2] in {turn["text"] for turn in hit.turns}
    assert of_every_turn(check)(miss) is None


def test_worked_example_makes_sense(definition):
    """What the model learns from is refused by no check, with all that is known of it."""
    example = definition["example"]
    values = WHO | {"phone_number": "(415) 555-0123"} | example["values"]
    outline = render_outline(definition, values, len(example["texts"]))
    turns = [
        {"speaker": line.speaker, "text": text}
        for line, text in zip(outline, example["texts"], strict=True)
    ]
    told = replace(gather(definition, values, outline, TEMPLATE), turns=turns)

    assert [finding for check in CHECKS if (finding := check(told))] == []


def test_no_call_read_as_right_is_refused():
    """Precision first: none of those that were read and found right."""
    refused = {n: judge_read(call) for n, call in enumerate(READ) if not call["senseless"]}

    assert {n: reasons for n, reasons in refused.items() if reasons} == {}


def test_at_least_half_of_the_senseless_calls_are_refused():
    """Of those that were read and found senseless, for whatever reason."""
    senseless = [call for call in READ if call["senseless"]]
    refused = [call for call in senseless if judge_read(call)]

    assert len(refused) >= len(senseless) / 2
