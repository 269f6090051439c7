"""Each check: what it rejects, and the near miss that it lets pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fleet_orchestrator.quality import checks, order
from fleet_orchestrator.quality.call import Conversation, of_every_turn
from fleet_orchestrator.quality.checks import TURN_CHECKS
from fleet_orchestrator.quality.order import CHECKS, find_fault
from fleet_orchestrator.quality.scrub import render_value_patterns

BORN = render_value_patterns("date_of_birth", "October 9, 1958")
ASKED = ["asks for the date of birth", "October 9, 1958, is worried"]
GOOD = (
    "Lakeside Clinic, this is Imani. How can I help you?",
    "Hi, this is Oscar Larsen. I got a bill that I don't understand.",
    "Let me see. Could you tell me your date of birth, please?",
    "Sure, it's October 9, 1958. Why is it that much?",
    "The lab test was billed apart from the visit.",
    "All right then. Thanks, Imani, goodbye.",
)


def talk(*texts, **told):
    """A conversation of these texts, the agent first."""
    turns = [
        {"speaker": ("agent", "customer")[index % 2], "text": text}
        for index, text in enumerate(texts)
    ]
    return Conversation(turns, **{"min_turns": 1, "max_turns": 8} | told)


def test_good_conversation_passes_every_check():
    """A call as it should be has no finding."""
    conversation = talk(*GOOD, proofs=BORN, min_turns=6, example_names=["Carol", "Peter Novak"])

    assert [finding for check in CHECKS if (finding := check(conversation))] == []


def test_each_check_has_a_reason_of_its_own():
    """Every check of the list is tried here, under the reason that it gives."""
    tried = {reason for name, _, _ in CASES if (reason := name)}

    assert len(tried) == 1 + len(TURN_CHECKS)
    assert len(set(order.TURN_CHECKS)) == len(order.TURN_CHECKS)


CASES = [
    (
        "turn_count",
        checks.check_turn_count,
        [
            (talk("Hi.", min_turns=2), talk("Hi.", "Hi.", min_turns=2)),
            (talk(*["Hi."] * 9), talk(*["Hi."] * 8)),
            (talk(), talk("Hi.")),
        ],
    ),
    (
        "roles_do_not_alternate",
        checks.check_alternation,
        [
            (Conversation([{"speaker": "customer", "text": "Hi."}], 1, 8), talk("Hi.")),
            (Conversation([{"speaker": "agent", "text": "Hi."}] * 2, 1, 8), talk("Hi.", "Hi.")),
        ],
    ),
    (
        "turn_length",
        checks.check_length,
        [
            (talk("word " * 61), talk("word " * 60)),
            (talk("..."), talk("Hm...")),
            (talk(" "), talk("I")),
        ],
    ),
    (
        "cut_off",
        checks.check_cut_off,
        [
            (talk("I will send you the"), talk("I will send you the bill.")),
            (talk("Really,"), talk("Really?")),
            (talk('He said "no"'), talk('He said "no."')),
            (talk("See you;"), talk("See you\u2026 ")),
        ],
    ),
    (
        "placeholder",
        checks.check_placeholder,
        [
            (talk("Hello, [customer name]."), talk("Hello [ ].")),
            (talk("It is <amount> now."), talk("It is < 5 now.")),
            (talk("Dear {{ name }}."), talk("Dear {}.")),
            (talk("Your number is XXXX."), talk("Size XX.")),
            (talk("Lorem ipsum."), talk("Loretta.")),
        ],
    ),
    (
        "assistant_talk",
        checks.check_assistant_talk,
        [
            (talk("As an AI, I cannot see bills."), talk("As an aide, I cannot see bills.")),
            (talk("I am a language model."), talk("It is a new model.")),
            (talk("As the outline says, hello."), talk("I see the outlines of it.")),
            (talk("Here is your JSON."), talk("Here is Jason.")),
        ],
    ),
    (
        "refusal",
        checks.check_refusal,
        [
            (talk("I can't help with that."), talk("I can't help but smile.")),
            (talk("I can\u2019t help you with this."), talk("I can't do this.")),
            (talk("I can't help with it now."), talk("I can't help it.")),
            (talk("We are unable to assist you with this."), talk("We are able to assist you.")),
        ],
    ),
    (
        "leaked_prompt",
        checks.check_leaked_prompt,
        [
            (
                talk("Offers help and waits.", outline=["offers help, is Imani"]),
                talk("Who offers help here?", outline=["offers help, is Imani"]),
            ),
            (
                talk("Carol speaking.", example_names=["Carol"]),
                talk("Call from North Carolina, no carols.", example_names=["Carol"]),
            ),
            (
                talk("This is Peter Novak.", example_names=["Peter Novak"]),
                talk("This is Peter. Novak is away.", example_names=["Novak Peter"]),
            ),
            (
                talk("So: people talk the way they really talk here.",
                     instruction="People talk the way they really talk here now"),
                talk("So: people talk the way they really do here.",
                     instruction="People talk the way they really talk here now"),
            ),
        ],
    ),
    (
        "roles_confused",
        checks.check_roles,
        [
            (talk("Hi.", "How can I help you?"), talk("How can I help you?")),
            (talk("Hi.", "Thank you for calling."), talk("Hi.", "Thank you for the call.")),
            (talk("Hi.", "I'm happy to help!"), talk("Hi.", "I'm happy to hear that!")),
            (talk("Hi.", "I will do my best to help you."), talk("Hi.", "I did my best.")),
            (talk("Hi.", "What is your member number?"), talk("Hi.", "What is my member number?")),
        ],
    ),
    (
        "identity_disclosed",
        checks.check_disclosure,
        [
            (
                talk("You were born on October 9, 1958.", proofs=BORN),
                talk("Born?", "On October 9, 1958.", "October 9, right.", proofs=BORN),
            ),
        ],
    ),
    (
        "identity_not_asked",
        checks.check_identity_asked,
        [
            (
                talk("Hi.", "I was born on October 9, 1958.", proofs=BORN),
                talk("What is your birthday?", "It's 10/9/1958.", proofs=BORN),
            ),
            (
                talk("Hi there.", proofs=BORN, outline=ASKED),
                talk("When were you born?", proofs=BORN, outline=ASKED),
            ),
            (
                talk("Hi.", "It's 10/9/1958.", "Born?", "On October 9, 1958.", proofs=BORN),
                talk("Born?", "On October 9, 1958.", "Hm.", "October 9, I said.", proofs=BORN),
            ),
        ],
    ),
    (
        "identity_not_told",
        checks.check_identity_told,
        [
            (
                talk("Your birthday?", "Yes.", proofs=BORN, outline=ASKED),
                talk("Your birthday?", "It's 10/9/1958.", proofs=BORN, outline=ASKED),
            ),
            (
                talk("Born?", "Yes.", "When?", "10/9/1958.", proofs=BORN, outline=ASKED),
                talk("Born?", "10/9/1958.", "Bye.", "Bye.", proofs=BORN, outline=[*ASKED, *ASKED]),
            ),
        ],
    ),
    (
        "repetition",
        checks.check_repetition,
        [
            (
                talk("I will look into it.", "Yes.", "Well, I will. I will look into it!"),
                talk("I will look into it.", "Yes.", "I will look into that."),
            ),
            (talk("Thank you very much! Thank you very much."), talk("Thank you! Thank you.")),
        ],
    ),
]  # fmt: skip
FLAT = [
    pytest.param(reason, check, hit, miss, id=f"{reason}-{number}")
    for reason, check, pairs in CASES
    for number, (hit, miss) in enumerate(pairs)
]
OF_A_TURN = [case for case in FLAT if case.values[1] in TURN_CHECKS]


@pytest.mark.parametrize(("reason", "check", "hit", "miss"), FLAT)
def test_check_tells_hit_from_near_miss(reason, check, hit, miss):
    """The one is rejected under the check's reason and with its words, the other passes."""
    whole = of_every_turn(check) if check in TURN_CHECKS else check

    finding = whole(hit)

    assert finding is not None
    assert finding.reason == reason
    assert finding.stage in ("shape", "checks")
    assert finding.evidence
    assert whole(miss) is None


@pytest.mark.parametrize(("reason", "check", "hit", "miss"), OF_A_TURN)
def test_turn_is_refused_by_what_came_before_it(reason, check, hit, miss):
    """The newest turn alone decides: what quality rejects is refused at one turn, as it is said."""
    grown = [replace(hit, turns=hit.turns[:count]) for count in range(1, len(hit.turns) + 1)]

    found = [finding for part in grown if (finding := check(part, len(part.turns) - 1))]

    assert found[0] == of_every_turn(check)(hit)
    assert found[0].reason == reason


def test_fault_is_the_first_of_the_newest_turn():
    """Older turns are not asked again; of two faults the one that is checked first is told."""
    conversation = talk("Fine [name].", "As an AI I would like to")

    assert find_fault(conversation).reason == "cut_off"
    assert find_fault(talk("Fine [name].", "All right.")) is None


def test_evidence_quotes_the_turn():
    """The finding names the turn and its words, so that a person can see that it is right."""
    finding = checks.check_cut_off(talk("Fine.", "I would like to"), 1)

    assert finding.evidence == "turn 2: I would like to"
