"""
`GET /exports/lex`: accepted conversations as a zip of Contact Lens files, made while it is sent.

It reads analytics views only, where there is nothing but scrubbed text.
"""

from __future__ import annotations

import json
import logging
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING, Any

from fleet_control_api.exports.archive import Chunks, make_member
from fleet_control_api.exports.contact_lens import Conversation, render_document, render_name
from fleet_control_api.exports.manifest import NAME, Manifest
from fleet_control_api.service.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Generator
    from uuid import UUID

    from fleet_timescale.connection import Connection

log = logging.getLogger(__name__)

BATCH = 10  # conversations fetched at once; few, since nothing bounds the length of a turn here
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
SELECT = """
SELECT c.conversation_id, c.scenario, c.created_at,
  (SELECT jsonb_agg(jsonb_build_object('position', t.position, 'speaker', t.speaker, 'text', t.text)
                    ORDER BY t.position)
   FROM analytics.turns t WHERE t.conversation_id = c.conversation_id) AS turns
FROM analytics.conversations c
WHERE c.state = 'accepted' AND (%(job)s::uuid IS NULL OR c.job_id = %(job)s)
  AND (%(scenario)s::text IS NULL OR c.scenario = %(scenario)s)
ORDER BY c.created_at, c.conversation_id
"""


def stream_archive(
    connection: Connection, job: UUID | None, scenario: str | None
) -> Generator[bytes]:
    """
    Yield the archive in pieces: one file a conversation, the manifest last.

    A conversation that makes no valid file is left out, and named in the manifest.
    """
    chunks = Chunks()
    with closing(_begin_manifest(connection, job, scenario)) as manifest:
        with (
            # Closed twice: when the session is gone the first time fails, and leaves it open.
            closing(connection.cursor("lex_export")) as cursor,
            cursor,
            zipfile.ZipFile(chunks, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            cursor.itersize = BATCH
            for row in cursor.execute(SELECT, {"job": job, "scenario": scenario}):
                _add(archive, manifest, row)
                yield chunks.take()
            with archive.open(make_member(NAME, manifest.made_at), "w", force_zip64=True) as member:
                for piece in manifest.read():
                    member.write(piece)
                    yield chunks.take()
        yield chunks.take()


def _begin_manifest(connection: Connection, job: UUID | None, scenario: str | None) -> Manifest:
    connection.execute(SNAPSHOT)
    row = connection.execute("SELECT now() AS now").fetchall()[0]
    filters = {"state": "accepted"}
    filters |= {"job": str(job)} if job else {}
    filters |= {"scenario": scenario} if scenario else {}
    return Manifest(row["now"], filters)


def _add(archive: zipfile.ZipFile, manifest: Manifest, row: dict[str, Any]) -> None:
    """Write one conversation into the archive, or its reason into the manifest."""
    try:
        conversation = Conversation.from_row(row)
        document = render_document(conversation)
    except ExportError as exc:
        log.warning(
            "conversation left out of an export",
            extra={"conversation_id": str(row["conversation_id"]), "reason": str(exc)},
        )
        manifest.add_left_out(str(row["conversation_id"]), str(exc))
        return
    name = render_name(conversation)
    data = json.dumps(document, ensure_ascii=False, indent=1).encode()
    archive.writestr(make_member(name, conversation.created_at), data)
    manifest.add_file(name, data, len(conversation.turns))
