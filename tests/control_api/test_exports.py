"""The Lex export: what each file says, what is left out, and that nothing raw gets out."""

from __future__ import annotations

import hashlib
import io
import json
import re
import uuid
import zipfile
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from fleet_control_api.exports.archive import Chunks
from fleet_control_api.exports.contact_lens import (
    SCHEMAS,
    Conversation,
    find_faults,
    render_document,
    render_name,
)
from fleet_control_api.exports.timing import Span, Turn, count_seconds, derive_timing, locate_masks
from fleet_control_api.service.context import STREAMS_MAX
from fleet_control_api.service.errors import ExportError
from jsonschema import Draft202012Validator

TURNS = (
    Turn(1, "agent", "Hello, this is [PII], how can I help you today?"),
    Turn(2, "customer", "Hi, my number is [PII] and my bill is wrong."),
    Turn(3, "agent", "Let me look at that."),
)
WHEN = datetime(2026, 11, 24, 21, 14, 16, tzinfo=UTC)


def conversation(turns=TURNS, number=7):
    return Conversation(uuid.UUID(int=number), "healthcare_billing", WHEN, turns)


def export(api, **query):
    response = api.call("viewer", "GET", "/exports/lex", query_string=query)
    assert response.status_code == 200, response.text
    with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(files.pop("manifest.json")), files


def test_name_fits_lex_and_windows():
    """The date is in the folders and in the name, and no character is one that Windows refuses."""
    name = render_name(conversation())

    assert name == (
        "Analysis/Voice/Redacted/2026/11/24/"
        "00000000-0000-0000-0000-000000000007_analysis_redacted_2026-11-24T21-14-16Z.json"
    )
    assert not re.search(r'[:*?"<>|\\]', name)


def test_document_says_what_lex_reads():
    """Version, participants, redaction, contact and content are those of the conversation."""
    document = render_document(conversation())

    assert document["Version"] == "1.1.0"
    assert document["ContentMetadata"]["Output"] == "Redacted"
    assert document["ContentMetadata"]["RedactionTypes"] == ["PII"]
    assert document["CustomerMetadata"]["ContactId"] == str(uuid.UUID(int=7))
    assert [(t["ParticipantId"], t["Content"]) for t in document["Transcript"]] == [
        (t.speaker.upper(), t.text) for t in TURNS
    ]


def test_same_conversation_gives_same_bytes():
    """What is derived follows from text and id alone; another id is paced differently."""
    first, again, other = (json.dumps(render_document(conversation(number=n))) for n in (7, 7, 8))

    assert first == again
    assert first != other


def test_times_follow_from_words():
    """A turn lasts as long as its words at 150 a minute, a tenth more or less, without overlap."""
    spoken = derive_timing(uuid.UUID(int=7), TURNS)

    for turn in spoken:
        assert 0.9 <= turn.span.duration / (len(turn.turn.text.split()) * 400) <= 1.12
        assert len(turn.loudness) == count_seconds(turn.span)
    assert all(
        200 <= after.span.begin - before.span.end <= 900 for before, after in pairwise(spoken)
    )


@pytest.mark.parametrize(
    ("begin", "end", "seconds"), [(0, 999, 1), (0, 1000, 2), (1999, 2001, 2), (500, 500, 1)]
)
def test_loudness_counts_touched_seconds(begin, end, seconds):
    """One value for each second of the clock that the turn touches."""
    assert count_seconds(Span(begin, end)) == seconds


def test_masks_have_times_within_their_turn():
    """The n-th time is the n-th mask; two in one word count twice."""
    spans = locate_masks("a [PII] b ([PII]/[PII])", Span(1000, 2000))

    assert spans == (Span(1250, 1500), Span(1750, 2000), Span(1750, 2000))


def test_totals_fit_together():
    """Talk time is the sum of the turns; the call ends with the last; four quarters cover it."""
    document = render_document(conversation())
    said = document["ConversationCharacteristics"]
    ends = [t["EndOffsetMillis"] for t in document["Transcript"]]
    durations = sum(t["EndOffsetMillis"] - t["BeginOffsetMillis"] for t in document["Transcript"])
    quarters = said["Sentiment"]["SentimentByPeriod"]["QUARTER"]["AGENT"]

    assert said["TotalConversationDurationMillis"] == ends[-1]
    assert said["TalkTime"]["TotalTimeMillis"] == durations
    assert (
        sum(d["TotalTimeMillis"] for d in said["TalkTime"]["DetailsByParticipant"].values())
        == durations
    )
    assert (quarters[0]["BeginOffsetMillis"], quarters[3]["EndOffsetMillis"], len(quarters)) == (
        0,
        ends[-1],
        4,
    )


@pytest.mark.parametrize("name", ["lex_input.json", "contact_lens_voice.json"])
def test_schemas_are_schemas(name):
    """Both are valid JSON Schema 2020-12."""
    Draft202012Validator.check_schema(json.loads((SCHEMAS / name).read_text()))


def drop(*path):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return change


def put(value, *path):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


BROKEN = {
    "no version": drop("Version"),
    "version as number": put(1.1, "Version"),
    "no redaction types": drop("ContentMetadata", "RedactionTypes"),
    "null redaction types": put(None, "ContentMetadata", "RedactionTypes"),
    "one participant": drop("Participants", 1),
    "two agents": put("AGENT", "Participants", 1, "ParticipantRole"),
    "no contact": drop("CustomerMetadata", "ContactId"),
    "no turns": put([], "Transcript"),
    "blank content": put("  \n", "Transcript", 0, "Content"),
    "stranger": put("SYSTEM", "Transcript", 0, "ParticipantId"),
    "twice the same id": lambda d: put(d["Transcript"][1]["Id"], "Transcript", 0, "Id")(d),
    "no loudness": put([], "Transcript", 0, "LoudnessScore"),
    "loudness too long": put([60] * 99, "Transcript", 0, "LoudnessScore"),
    "loudness too loud": put([101], "Transcript", 0, "LoudnessScore"),
    "mixed sentiment": put("MIXED", "Transcript", 0, "Sentiment"),
    "negative time": put(-1, "Transcript", 0, "BeginOffsetMillis"),
    "ends before it begins": put(0, "Transcript", 2, "EndOffsetMillis"),
    "overlap": put(0, "Transcript", 1, "BeginOffsetMillis"),
    "three quarters": drop(
        "ConversationCharacteristics", "Sentiment", "SentimentByPeriod", "QUARTER", "AGENT", 0
    ),
    "wrong total": put(5, "ConversationCharacteristics", "TotalConversationDurationMillis"),
    "account too short": put("1", "AccountId"),
    "chat": put("CHAT", "Channel"),
    "no talk time": drop("ConversationCharacteristics", "TalkTime"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_document_is_found(fault):
    """Each breach of the format is seen, by the schema or by the rules between fields."""
    document = render_document(conversation())
    BROKEN[fault](document)

    assert find_faults(document)


@pytest.mark.parametrize(
    "turns",
    [(), TURNS[:1], (*TURNS, Turn(4, "customer", " ")), (*TURNS, Turn(4, "manager", "No."))],
    ids=["none", "one speaker", "blank", "third speaker"],
)
def test_conversation_that_makes_no_valid_file_is_refused(turns):
    """It raises instead of being written."""
    with pytest.raises(ExportError):
        render_document(conversation(turns))


def test_archive_is_as_its_manifest_says(api, write_conversation):
    """Every file is named with its sum, is valid, and the counts are right."""
    made = {str(write_conversation()) for _ in range(3)}
    write_conversation(reason="too_short")

    manifest, files = export(api)

    assert (manifest["conversations"], manifest["turns"], manifest["left_out_count"]) == (3, 6, 0)
    assert {entry["name"]: entry["sha256"] for entry in manifest["files"]} == {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items()
    }
    documents = [json.loads(data) for data in files.values()]
    assert {document["CustomerMetadata"]["ContactId"] for document in documents} == made
    assert not any(find_faults(document) for document in documents)
    assert "needs at least 1000 turns" in manifest["warnings"][0]
    assert {schema["name"] for schema in manifest["schemas"]} == {
        "lex_input.json",
        "contact_lens_voice.json",
    }
    assert "150 words a minute" in json.dumps(manifest["derived"])


def test_nothing_raw_is_exported(api, write_conversation):
    """Persona values stand in the raw turns only; the archive has the masks."""
    write_conversation()
    manifest, files = export(api)
    text = json.dumps(manifest) + "".join(data.decode() for data in files.values())

    assert "[PII]" in text
    assert "Wilhelmina" not in text
    assert "555-0199" not in text


@pytest.mark.parametrize("text", [None, "   "], ids=["not scrubbed", "blank"])
def test_broken_conversation_is_left_out_and_named(api, write_conversation, text):
    """One that makes no valid file is counted and named with its reason; the others are there."""
    good, bad = write_conversation(), write_conversation()
    api.owner.execute(
        "UPDATE fleet.turns SET text_scrubbed = %s WHERE position = 2 AND task_id = "
        "(SELECT task_id FROM fleet.conversations WHERE conversation_id = %s)",
        [text, bad],
    )

    manifest, files = export(api)

    assert [str(good) in name for name in files] == [True]
    [left_out] = manifest["left_out"]
    assert (manifest["left_out_count"], left_out["conversation_id"]) == (1, str(bad))
    assert left_out["reason"]
    assert "1 conversations made no valid file" in manifest["warnings"][1]


def test_export_is_filtered(api, write_conversation):
    """By scenario and by job; an empty export is a valid archive of nothing."""
    made = write_conversation()
    job = api.owner.execute(
        "SELECT job_id FROM fleet.conversations WHERE conversation_id = %s", [made]
    ).fetchone()["job_id"]
    write_conversation()

    assert export(api, job=job)[0]["conversations"] == 1
    assert export(api, scenario="healthcare_billing")[0]["conversations"] == 2
    api.owner.execute("INSERT INTO fleet.scenarios VALUES ('other', 'Other', false, '{}')")
    manifest, files = export(api, scenario="other")
    assert (manifest["conversations"], manifest["filters"]["scenario"], files) == (0, "other", {})


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"scenario": "nonsense"}, 422),
        ({"job": "seven"}, 422),
        ({"job": str(uuid.UUID(int=1))}, 404),
        ({"x": "1"}, 422),
    ],
)
def test_unknown_filter_is_named(api, query, status):
    """A filter that matches nothing known is an error, not an empty archive."""
    assert api.call("viewer", "GET", "/exports/lex", query_string=query).status_code == status


def test_streams_are_bounded_and_given_back(api, write_conversation):
    """The ninth stream has to wait; a client that goes away gives its place back."""
    write_conversation()
    running = [api.call("viewer", "GET", "/exports/lex", buffered=False) for _ in range(8)]
    ninth = api.call("viewer", "GET", "/exports/lex")
    for response in running:
        response.close()

    assert ninth.status_code == 503
    assert [export(api)[0]["conversations"] for _ in range(20)] == [1] * 20


def test_place_is_given_back_without_a_session(api, write_conversation):
    """A client that leaves after the database ended the session leaves no place taken."""
    for _ in range(12):  # more than one fetch, so that the cursor is open when the client leaves
        write_conversation()
    for _ in range(STREAMS_MAX + 1):
        response = api.call("viewer", "GET", "/exports/lex", buffered=False)
        assert response.status_code == 200
        api.owner.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE usename = 'fleet_control' AND state = 'idle in transaction'"
        )
        response.close()

    assert export(api)[0]["conversations"] == 12


def test_archive_is_written_without_looking_back():
    """The writer holds nothing once a piece is taken, and cannot seek."""
    chunks = Chunks()
    chunks.write(b"abc")

    assert (chunks.seekable(), chunks.take(), chunks.take()) == (False, b"abc", b"")
