"""What only a clinician may say. Each rule looks at one turn of the agent and those before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleet_orchestrator.quality.words import is_question, split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_orchestrator.quality.call import Conversation

CONDITION = (
    r"(?:infection|flu|influenza|covid|pneumonia|bronchitis|asthma|diabetes|cancer|tumou?r"
    r"|an(?:a|e)emia|arthritis|osteoarthritis|gout|migraines?|strep(?: throat)?|tonsillitis"
    r"|sinusitis|hypertension|high blood pressure|high cholesterol|hypothyroidism"
    r"|hyperthyroidism|thyroid disease|eczema|psoriasis|shingles|hives|ulcers?|sciatica"
    r"|(?:slipped|herniated) disc|tendinitis|bursitis|sprain|fracture|torn \w+|concussion"
    r"|depression|anxiety disorder|kidney stones?|heart (?:attack|disease|failure)|stroke"
    r"|allergic reaction|(?:vitamin D |iron )?deficiency|virus)"
)
DIAGNOSIS = re.compile(
    r"\b(?:you(?:['\u2019]ve| have)(?: got)?"
    r"|you (?:must|might|may|could|probably|likely|clearly|definitely) have"
    r"|(?:it|that|this)(?:['\u2019]s| is| sounds like| looks like| seems like| must be| could be"
    r"| might be| may be)|sounds like|looks like)"
    rf" (?:\w+ ){{0,3}}?(?P<condition>{CONDITION})\b",
    re.IGNORECASE,
)
READING = (
    r"(?:normal|abnormal|fine|good|great|bad|high|low|elevated|positive|negative|clear|healthy"
    r"|(?:in|out of|within) (?:the )?(?:normal )?range)"
)
INTERPRETATION = re.compile(
    r"\b(?:results?|tests?|levels?|numbers?|cholesterol|thyroid|vitamin d|iron|blood (?:sugar|work)"
    r"|everything|swab|values?) (?:\w+ ){0,2}?(?:is|are|was|were|came back|look|looks|looked"
    r"|seems?)"
    rf" (?:a (?:bit|little) |slightly |too |very |all |completely |perfectly |quite )?{READING}\b"
    r"|\b(?:nothing|not|isn['\u2019]t|is not) (?:\w+ )?(?:bad|serious|dangerous)\b"
    r"|\bnothing (?:\w+ )?to (?:be )?worr(?:y|ied)(?: about)?\b",
    re.IGNORECASE,
)
ASKS_MEANING = re.compile(
    r"\b(?:anything|something|is it|is that|are they|results?) (?:\w+ )?"
    r"(?:bad|serious|wrong|dangerous|okay|ok|normal)\b[^.!]*\?",
    re.IGNORECASE,
)
SHORT_ANSWER = re.compile(r"^(?:yes|no|nope|yeah|don['\u2019]t worry)\b", re.IGNORECASE)
NO_ANSWER = re.compile(
    r"\b(?:doctor|nurse|physician|can(?:no|['\u2019])t|may not|not allowed|unable"
    r"|don['\u2019]t know|not (?:able|sure|see|know))\b",
    re.IGNORECASE,
)
AMOUNT = r"(?:\d[\d.,]*|an?|one|two|three|four|five|six|half|the)"
MEASURE = (
    r"(?:mg|milligrams?|mcg|ml|millilit(?:er|re)s?|tablets?|pills?|capsules?|puffs?|drops?|doses?"
    r"|units?|sprays?)"
)
DOSE = re.compile(
    r"\b(?:take|taking|use|inhale|inject|double|halve|increase|reduce|raise|lower|start with"
    rf"|go up to|go down to)\b(?: \w+){{0,3}}? {AMOUNT} (?:\w+ )?{MEASURE}\b"
    rf"|\b(?:take|use|inhale) (?:it|them|one|two|three|half)\b[^.!?]{{0,30}}"
    r"\b(?:a day|daily|times|every \w+ hours?|(?:at|with|before|after) (?:bedtime|meals?|breakfast"
    r"|dinner))\b"
    r"|\b(?:double|halve|increase|reduce|lower|raise) (?:\w+ )?(?:dose|dosage)\b",
    re.IGNORECASE,
)
REMEDY = (
    r"(?:ibuprofen|aspirin|tylenol|advil|acetaminophen|paracetamol|pain ?killers?|antibiotics?"
    r"|antihistamines?|cortisone|ice|a cold pack|heat|a heating pad|cough syrup|supplements?)"
)
TREATMENT = re.compile(
    r"\b(?:stop|quit|keep|start) taking\b|\bskip (?:\w+ )?(?:dose|medicine|medication|tablets?"
    r"|pills?)\b"
    rf"|\b(?:take|try|use|apply|put)(?: on)? (?:some |an? |more )?{REMEDY}\b"
    r"|\byou (?:don['\u2019]t|do not|won['\u2019]t) (?:really )?need (?:to see )?"
    r"(?:an? |the |any )?(?:doctor|antibiotics?|surgery|medicine|medication)\b",
    re.IGNORECASE,
)
PASSED_ON = re.compile(
    r"\b(?:doctor|pharmacist|nurse|physician) (?:\w+ )?(?:says?|said|wrote|prescribed|can|will"
    r"|has to|must|decides?|tells?)\b|\bas (?:it was )?prescribed\b",
    re.IGNORECASE,
)


def gives_diagnosis(conversation: Conversation, index: int) -> bool:
    """The agent names an illness that the caller has not named."""
    known = conversation.said_by("customer", index).casefold()
    return any(
        found["condition"].casefold() not in known
        for sentence in _advice(conversation, index)
        for found in DIAGNOSIS.finditer(sentence)
    )


def interprets_result(conversation: Conversation, index: int) -> bool:
    """The agent says what a result means, also by a yes or no to that question."""
    sentences = _advice(conversation, index)
    text = conversation.turns[index]["text"]
    asked = conversation.text_before(index)
    is_answer = SHORT_ANSWER.search(text) and not NO_ANSWER.search(text)
    if conversation.is_by("agent", index) and ASKS_MEANING.search(asked) and is_answer:
        return True
    return any(INTERPRETATION.search(sentence) for sentence in sentences)


def gives_dose(conversation: Conversation, index: int) -> bool:
    """The agent says how much of a medicine to take, or to change it."""
    return any(DOSE.search(sentence) for sentence in _advice(conversation, index))


def advises_treatment(conversation: Conversation, index: int) -> bool:
    """The agent advises for or against a medicine or a treatment."""
    return any(TREATMENT.search(sentence) for sentence in _advice(conversation, index))


def _advice(conversation: Conversation, index: int) -> Iterator[str]:
    """Yield what the agent states of their own accord: no question, nothing that is passed on."""
    if conversation.is_by("agent", index):
        for sentence in split_sentences(conversation.turns[index]["text"]):
            if not is_question(sentence) and not PASSED_ON.search(sentence):
                yield sentence
