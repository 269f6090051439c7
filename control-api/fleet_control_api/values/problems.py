"""Every error as application/problem+json (RFC 9457), made in this one module."""

from __future__ import annotations

import json
import logging
import math

import psycopg
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from fleet_control_api.service.database import translate
from fleet_control_api.service.errors import ApiError
from fleet_control_api.values.documents import Problem

log = logging.getLogger(__name__)


def register(app: Flask) -> None:
    """Answer all errors of the application as problems."""
    app.register_error_handler(ApiError, answer_api_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(psycopg.Error, answer_database_error)
    app.register_error_handler(Exception, answer_unexpected)


def answer_api_error(error: ApiError) -> Response:
    """Answer what a handler refused."""
    response = _respond(error.status, error.title, str(error), error.remedy)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_seconds is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_seconds))
    return response


def answer_http_error(error: HTTPException) -> Response:
    """Answer what Flask refused: unknown addresses, wrong methods, bodies that broke off."""
    detail, remedy = error.description or "", ""
    if error.code in {404, 405}:
        detail = f"{request.method} {request.path} is not served here."
        remedy = "GET /api/v1/docs lists all addresses."
    response = _respond(error.code or 500, error.name, detail, remedy)
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            response.headers[name] = value
    return response


def answer_database_error(error: psycopg.Error) -> Response:
    """Answer what the database refused."""
    meant = translate(error)
    return answer_unexpected(error) if meant is None else answer_api_error(meant)


def answer_unexpected(error: Exception) -> Response:
    """Answer an internal error without its detail, which the log has."""
    log.error(
        "request failed",
        exc_info=error,
        extra={"method": request.method, "path": request.path},
    )
    return _respond(
        500,
        "Internal error",
        "The control API failed.",
        "Its log says why: `./fleet logs control-api`.",
    )


def _respond(status: int, title: str, detail: str, remedy: str) -> Response:
    problem = Problem(
        type="about:blank",
        title=title,
        status=status,
        detail=detail,
        instance=request.path,
        remedy=remedy or None,
    ).model_dump(exclude_none=True)
    return Response(json.dumps(problem), status, mimetype="application/problem+json")
