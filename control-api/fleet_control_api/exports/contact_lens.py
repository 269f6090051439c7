"""
One accepted conversation as a Contact Lens voice file.

Version 1.1.0, which is also input for Amazon Lex.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, UUID, uuid5

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from fleet_control_api.exports.timing import (
    Span,
    SpokenTurn,
    Turn,
    count_seconds,
    derive_timing,
)
from fleet_control_api.service.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMAS = Path(__file__).parent / "schemas"
SCHEMA_NAMES = ("contact_lens_voice.json", "lex_input.json")
ROLES = {"agent": "AGENT", "customer": "CUSTOMER"}
NO_ACCOUNT = "0" * 12  # there is no AWS account behind a synthetic call
NO_INSTANCE = str(UUID(int=0))


@dataclass(frozen=True)
class Conversation:
    """An accepted conversation with its scrubbed turns."""

    conversation_id: UUID
    scenario: str
    created_at: datetime
    turns: tuple[Turn, ...]

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Conversation:
        """Return the conversation of a row. Raises ExportError for a turn that is not scrubbed."""
        turns = []
        for entry in row["turns"] or []:
            if not isinstance(entry["text"], str):
                raise ExportError(f"turn {entry['position']} has no scrubbed text")
            turns.append(Turn(entry["position"], entry["speaker"], entry["text"]))
        created_at = row["created_at"].astimezone(UTC)
        return cls(row["conversation_id"], row["scenario"], created_at, tuple(turns))


def render_name(conversation: Conversation) -> str:
    """
    Return the file's name within the archive.

    Amazon Lex filters by the folders yyyy/mm/dd and a yyyy-mm-dd in the name. Contact Lens
    itself writes the time with colons, which Windows cannot have in a file name, so hyphens
    stand for them.
    """
    at = conversation.created_at
    return (
        f"Analysis/Voice/Redacted/{at:%Y/%m/%d}/"
        f"{conversation.conversation_id}_analysis_redacted_{at:%Y-%m-%dT%H-%M-%SZ}.json"
    )


def render_document(conversation: Conversation) -> dict[str, Any]:
    """Return the file's content. Raises ExportError when it would not be valid."""
    spoken = derive_timing(conversation.conversation_id, conversation.turns)
    contact_id = str(conversation.conversation_id)
    document = {
        "AccountId": NO_ACCOUNT,
        "Categories": {
            "MatchedCategories": [conversation.scenario],
            "MatchedDetails": {conversation.scenario: {"PointsOfInterest": []}},
        },
        "Channel": "VOICE",
        "ContentMetadata": {
            "Output": "Redacted",
            "RedactionTypes": ["PII"],
            "RedactionTypesMetadata": {"PII": {"RedactionMaskMode": "PII"}},
        },
        "ConversationCharacteristics": render_characteristics(spoken),
        "CustomModels": [],
        "CustomerMetadata": {
            "ContactId": contact_id,
            "InputS3Uri": f"s3://synthetic/{contact_id}.wav",
            "InstanceId": NO_INSTANCE,
        },
        "JobStatus": "COMPLETED",
        "LanguageCode": "en-US",
        "Participants": [
            {"ParticipantId": role, "ParticipantRole": role} for role in ROLES.values()
        ],
        "Transcript": [render_turn(conversation.conversation_id, turn) for turn in spoken],
        "Version": "1.1.0",
    }
    faults = find_faults(document)
    if faults:
        raise ExportError(faults[0])
    return document


def render_turn(conversation_id: UUID, spoken: SpokenTurn) -> dict[str, Any]:
    """Return one entry of the transcript."""
    entry: dict[str, Any] = {
        "Id": str(uuid5(NAMESPACE_OID, f"{conversation_id}/{spoken.turn.position}")),
        "ParticipantId": ROLES.get(spoken.turn.speaker, spoken.turn.speaker),
        "Content": spoken.turn.text,
        **spoken.span.as_offsets(),
        "Sentiment": "NEUTRAL",
        "LoudnessScore": list(spoken.loudness),
    }
    if spoken.masks:
        entry["Redaction"] = {"RedactedTimestamps": [mask.as_offsets() for mask in spoken.masks]}
    return entry


def render_characteristics(spoken: Sequence[SpokenTurn]) -> dict[str, Any]:
    """Return what Contact Lens says of the call as a whole."""
    total = max((turn.span.end for turn in spoken), default=0)
    words = dict.fromkeys(ROLES.values(), 0)
    millis = dict.fromkeys(ROLES.values(), 0)
    for turn in spoken:
        role = ROLES.get(turn.turn.speaker, "CUSTOMER")
        words[role] += len(turn.turn.text.split())
        millis[role] += turn.span.duration
    quarters = [Span(total * n // 4, total * (n + 1) // 4).as_offsets() for n in range(4)]
    return {
        "TotalConversationDurationMillis": total,
        "Sentiment": {
            "OverallSentiment": dict.fromkeys(ROLES.values(), 0),
            "SentimentByPeriod": {
                "QUARTER": {role: [{**q, "Score": 0} for q in quarters] for role in words}
            },
        },
        "Interruptions": {"InterruptionsByInterrupter": {}, "TotalCount": 0, "TotalTimeMillis": 0},
        "NonTalkTime": {"TotalTimeMillis": 0, "Instances": []},
        "TalkSpeed": {
            "DetailsByParticipant": {
                role: {"AverageWordsPerMinute": round(words[role] * 60_000 / max(1, millis[role]))}
                for role in words
            }
        },
        "TalkTime": {
            "TotalTimeMillis": sum(millis.values()),
            "DetailsByParticipant": {role: {"TotalTimeMillis": millis[role]} for role in millis},
        },
    }


@cache
def load_validator() -> Draft202012Validator:
    """Return the validator of the Contact Lens schema, which includes the one for Lex."""
    schemas = [json.loads((SCHEMAS / name).read_text()) for name in SCHEMA_NAMES]
    resources = [(schema["$id"], Resource.from_contents(schema)) for schema in schemas]
    return Draft202012Validator(schemas[0], registry=Registry().with_resources(resources))


def find_faults(document: dict[str, Any]) -> list[str]:
    """
    Return what is wrong with a file: by the schema, and by the rules that a schema cannot say.
    """
    faults = [
        # The value may be long, and is not shown.
        f"{error.json_path} is invalid ({error.validator})"
        for error in load_validator().iter_errors(document)
    ]
    return faults or find_inconsistencies(document)


def find_inconsistencies(document: dict[str, Any]) -> list[str]:
    """Return breaches of the rules that hold between fields."""
    faults = []
    participants = {entry["ParticipantId"] for entry in document["Participants"]}
    transcript = document["Transcript"]
    if {entry["ParticipantId"] for entry in transcript} != participants:
        faults.append("$.Transcript does not have exactly the participants named")
    if len({entry["Id"] for entry in transcript}) != len(transcript):
        faults.append("$.Transcript has an Id twice")
    clock = 0
    for index, entry in enumerate(transcript):
        span = Span(entry["BeginOffsetMillis"], entry["EndOffsetMillis"])
        if not clock <= span.begin <= span.end:
            faults.append(f"$.Transcript[{index}] begins before the turn before it ends")
        if len(entry["LoudnessScore"]) != count_seconds(span):
            faults.append(f"$.Transcript[{index}].LoudnessScore does not fit its duration")
        clock = span.end
    if clock != document["ConversationCharacteristics"]["TotalConversationDurationMillis"]:
        faults.append("$.ConversationCharacteristics does not end with the last turn")
    return faults
