"""Exports, as streams."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from fleet_control_api.exports.lex import stream_archive
from fleet_control_api.permissions.roles import reads
from fleet_control_api.routes.jobs import list_scenarios, load_job
from fleet_control_api.routes.streams import answer_stream
from fleet_control_api.service.context import Services, services
from fleet_control_api.service.errors import InvalidError, NotFoundError
from fleet_control_api.values.arguments import read_query
from fleet_control_api.values.exports import ExportFilter

if TYPE_CHECKING:
    from collections.abc import Generator
    from uuid import UUID

    from fleet_timescale.connection import Connection

blueprint = Blueprint("exports", __name__, url_prefix="/exports")


@blueprint.get("/lex")
@reads("application/zip", query=ExportFilter, errors=(NotFoundError,))
def export_lex() -> Response:
    """Stream accepted conversations as a zip of Contact Lens / Amazon Lex 1.1.0 files, redacted."""
    wanted = read_query(request, ExportFilter)
    with services().database.transaction() as connection:
        _check_filters(connection, wanted.job, wanted.scenario)
    pieces = _read_pieces(services(), wanted.job, wanted.scenario)
    response = answer_stream(pieces, "application/zip")
    response.headers["Content-Disposition"] = 'attachment; filename="lex.zip"'
    return response


def _read_pieces(running: Services, job: UUID | None, scenario: str | None) -> Generator[bytes]:
    with (
        running.database.transaction() as connection,
        # Closed by us, so that its end is not left to the garbage collector.
        closing(stream_archive(connection, job, scenario)) as archive,
    ):
        yield from (piece for piece in archive if piece)


def _check_filters(connection: Connection, job: UUID | None, scenario: str | None) -> None:
    """Raise NotFoundError for an unknown job and InvalidError for an unknown scenario."""
    if job is not None:
        load_job(connection, job)
    if scenario is None:
        return
    known = list_scenarios(connection)
    if scenario not in known:
        raise InvalidError(f"unknown scenario {scenario}", remedy=f"Known: {', '.join(known)}.")
