"""
Pages for a person with a browser: where everything is, and how the fleet stands.

A login here gives a cookie that opens these pages and nothing else. They change nothing but logins
and passwords.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
from flask import Blueprint, redirect, render_template, request

from fleet_control_api.audit.attempts import write_done
from fleet_control_api.callers.sessions import PAGE, PAGE_LIFE
from fleet_control_api.permissions.roles import page
from fleet_control_api.routes.auth import check_credentials, limit_logins
from fleet_control_api.routes.passwords import accept_invitation
from fleet_control_api.routes.runbooks import list_alerts
from fleet_control_api.routes.standing import TONES, read_standing
from fleet_control_api.routes.style import answer_page, read_style
from fleet_control_api.service.context import services
from fleet_control_api.service.database import translate
from fleet_control_api.service.errors import ApiError, RefusedError, UnauthenticatedError
from fleet_control_api.values.arguments import Values, parse_query
from fleet_control_api.values.auth import Acceptance, Credentials
from fleet_control_api.values.fields import PASSWORD_MIN

if TYPE_CHECKING:
    from typing import Any

    from flask import Response
    from flask.typing import ResponseReturnValue

    from fleet_control_api.callers.identity import Identity

blueprint = Blueprint("pages", __name__)

COOKIE = "fleet_session"


@blueprint.get("/")
@page
def show_home() -> ResponseReturnValue:
    """Say where everything is; after a login also how the fleet stands."""
    return _render_home()


@blueprint.get("/api")
@page
def show_api() -> ResponseReturnValue:
    """Lead to the first page, as do the next two."""
    return redirect("/", 303)


blueprint.add_url_rule("/api/v1", endpoint="show_api_v1", view_func=show_api)
blueprint.add_url_rule("/api/v1/", endpoint="show_api_v1_folder", view_func=show_api)


@blueprint.post("/login")
@page
def log_in() -> ResponseReturnValue:
    """Begin a session of this browser."""
    try:
        _check_origin()
        limit_logins("")
        who = check_credentials(_read_form(Credentials))
        with services().database.transaction() as connection:
            cookie = services().sessions.open_page(connection, who.actor)
            write_done(connection, who, "auth.login", who.actor, "page")
    except (ApiError, psycopg.Error) as exc:
        return _render_home(*_explain(exc))
    response = redirect("/", 303)
    _set_cookie(response, cookie, int(PAGE_LIFE.total_seconds()))
    return response


@blueprint.post("/logout")
@page
def log_out() -> ResponseReturnValue:
    """End the session of this browser."""
    try:
        _check_origin()
        with services().database.transaction() as connection:
            who = services().sessions.identify(connection, request.cookies.get(COOKIE, ""), PAGE)
            connection.execute("SELECT control.end_session(%s)", [who.session_id])
            write_done(connection, who, "auth.logout", who.actor, "page")
    except UnauthenticatedError:
        pass  # it has ended already
    except (ApiError, psycopg.Error) as exc:
        return _render_home(*_explain(exc))
    response = redirect("/", 303)
    _set_cookie(response, "", 0)
    return response


@blueprint.get("/password")
@page
def show_password() -> ResponseReturnValue:
    """Ask for the password that an invitation is for."""
    return _render_password("", 200)


@blueprint.post("/password")
@page
def set_password() -> ResponseReturnValue:
    """Set the password that an invitation is for."""
    try:
        _check_origin()
        limit_logins("")
        changed = accept_invitation(_read_form(Acceptance))
    except (ApiError, psycopg.Error) as exc:
        return _render_password(*_explain(exc))
    return _render_home(f"The password of {changed.login} is set: log in with it.")


def _render_home(note: str = "", status: int = 200) -> Response:
    who, fleet, is_healthy = None, None, True
    try:
        with services().database.transaction() as connection:
            who = _find_caller(connection)
            fleet = read_standing(connection) if who else None
    except psycopg.Error:
        is_healthy = False
    settings = services().settings
    return _render(
        "home.html",
        status,
        title="Transcript Fleet",
        note=note,
        who=who,
        fleet=fleet,
        is_healthy=is_healthy,
        tones=TONES,
        grafana=settings.grafana_issuer.rstrip("/"),
        runbooks=list_alerts(settings.runbooks),
    )


def _render_password(note: str, status: int) -> Response:
    return _render(
        "password.html",
        status,
        title="Choose a password",
        note=note,
        code=request.values.get("code", ""),
        shortest=PASSWORD_MIN,
    )


def _render(template: str, status: int, **values: Any) -> Response:
    return answer_page(render_template(template, style=read_style(), **values), status)


def _find_caller(connection: Any) -> Identity | None:
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    try:
        return services().sessions.identify(connection, cookie, PAGE)
    except UnauthenticatedError:
        return None


def _set_cookie(response: Any, value: str, seconds: int) -> None:
    response.set_cookie(
        COOKIE,
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
    )


def _check_origin() -> None:
    """
    Raise RefusedError for a form that another site sends.

    SameSite keeps the cookie away from it; this also keeps it from logging somebody in.
    """
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise RefusedError("the form was sent by another site", remedy="Open this page by itself.")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise RefusedError("the form was sent by another site", remedy="Open this page by itself.")


def _read_form(model: type[Values]) -> Values:
    return parse_query(model, request.form.items(multi=True))


def _explain(error: ApiError | psycopg.Error) -> tuple[str, int]:
    """Return what went wrong, in words, and the status. Raises what is a fault of ours."""
    meant = error if isinstance(error, ApiError) else translate(error)
    if meant is None:
        raise error
    return f"{meant}. {meant.remedy}".replace("..", "."), meant.status
