"""`fleet users|tokens|sessions <verb>`: who may log in, and who is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet_control_api.client.passwords import read_password
from fleet_control_api.client.remote import quote
from fleet_control_api.client.tables import render_fields, render_table
from fleet_control_api.client.verbs import add, add_noun, pick_given

if TYPE_CHECKING:
    import argparse

    from fleet_control_api.client.remote import Remote
    from fleet_control_api.client.verbs import Answer

ROLES = ("viewer", "operator", "admin")
SCOPES = (*ROLES, "sd", "metrics", "webhook")
USER_COLUMNS = ("login", "role", "is_disabled", "has_password", "sessions", "version", "created_at")
TOKEN_COLUMNS = ("token_id", "name", "scope", "state", "created_by", "expires_at", "last_used_at")
SESSION_COLUMNS = (
    "session_id", "login", "role", "state", "created_at", "last_used_at", "expires_at",
)  # fmt: skip


def list_users(remote: Remote, _: argparse.Namespace) -> Answer:
    """List users."""
    answer = remote.read_all("/users", "users")
    return answer, render_table(answer["users"], USER_COLUMNS)


def show_user(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Show one user."""
    user = remote.call("GET", f"/users/{quote(arguments.login)}")
    return user, render_fields(user)


def make_user(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Make a user."""
    body = {"login": arguments.login, "role": arguments.role}
    answer = remote.call("POST", "/users", body=body)
    return answer, f"User {answer['login']} is made. {describe(answer['invitation'])}"


def edit_user(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Change role, disable or enable; the version is that of the moment unless it is given."""
    path = f"/users/{quote(arguments.login)}"
    version = arguments.version or remote.call("GET", path)["version"]
    body = {"version": version, **pick_given(arguments, "role", "is_disabled")}
    answer = remote.call("POST", path, body=body)
    return answer, render_fields(answer)


def set_password(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Give a user a password, which is read from the terminal or from standard input."""
    password = read_password("New password: ")
    path = f"/users/{quote(arguments.login)}/password"
    answer = remote.call("POST", path, body={"password": password})
    return answer, f"User {answer['login']} has the new password; all sessions have ended."


def invite_user(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Let a user choose a password."""
    answer = remote.call("POST", f"/users/{quote(arguments.login)}/invite")
    return answer, describe(answer)


def describe(invitation: dict[str, Any]) -> str:
    """Return what to do with an invitation."""
    return (
        f"Give {invitation['login']} this address, which is good once, for 24 hours:\n"
        f"{invitation['url']}"
    )


def list_tokens(remote: Remote, _: argparse.Namespace) -> Answer:
    """List API tokens."""
    answer = remote.read_all("/tokens", "tokens")
    return answer, render_table(answer["tokens"], TOKEN_COLUMNS)


def make_token(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Make an API token."""
    body = {"name": arguments.name, "scope": arguments.scope, "expires_in_days": arguments.days}
    answer = remote.call("POST", "/tokens", body=body)
    return answer, f"{answer['token']}\nKeep it: nobody can show it again."


def revoke_token(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """Make an API token worth nothing."""
    answer = remote.call("DELETE", f"/tokens/{quote(arguments.token_id)}")
    return answer, f"Token {answer['name']} is worth nothing from now on."


def list_sessions(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """List logins."""
    answer = remote.read_all("/sessions", "sessions", {"state": arguments.state})
    return answer, render_table(answer["sessions"], SESSION_COLUMNS)


def end_session(remote: Remote, arguments: argparse.Namespace) -> Answer:
    """End a login."""
    answer = remote.call("DELETE", f"/sessions/{quote(arguments.session_id)}")
    return answer, f"The session of {answer['login']} has ended."


def add_access(nouns: Any) -> None:
    """Add the three nouns with their verbs to the command line."""
    _add_users(add_noun(nouns, "users", "see and manage who may log in"))
    verbs = add_noun(nouns, "tokens", "see, make and revoke API tokens")
    add(verbs, "list", list_tokens, "list API tokens, by name", route="GET /tokens")
    summary = "make an API token; it is shown once"
    make = add(verbs, "make", make_token, summary, route="POST /tokens")
    make.add_argument("name", metavar="NAME", help="stands in the audit log")
    make.add_argument("--scope", choices=SCOPES, required=True, help="a role or a narrow purpose")
    make.add_argument("--days", type=int, default=90, help="for how many days it is good")
    summary = "make an API token worth nothing"
    revoke = add(verbs, "revoke", revoke_token, summary, route="DELETE /tokens/{token_id}")
    revoke.add_argument("token_id", metavar="ID")
    verbs = add_noun(nouns, "sessions", "see and end logins")
    listing = add(verbs, "list", list_sessions, "list logins, newest first", route="GET /sessions")
    listing.add_argument("--state", choices=("live", "expired", "ended"), help="only these")
    summary = "end a login at once"
    end = add(verbs, "end", end_session, summary, route="DELETE /sessions/{session_id}")
    end.add_argument("session_id", metavar="ID")


def _add_users(verbs: Any) -> None:
    add(verbs, "list", list_users, "list users, by name", route="GET /users")
    show = add(verbs, "show", show_user, "show one user", route="GET /users/{login}")
    show.add_argument("login", metavar="LOGIN")
    summary = "make a user, who is invited to choose a password"
    make = add(verbs, "make", make_user, summary, route="POST /users")
    make.add_argument("login", metavar="LOGIN")
    make.add_argument("--role", choices=ROLES, required=True)
    summary = "change a user's role, disable, enable"
    edit = add(verbs, "edit", edit_user, summary, route="POST /users/{login}")
    edit.add_argument("login", metavar="LOGIN")
    edit.add_argument("--role", choices=ROLES, default=None)
    is_disabled = edit.add_mutually_exclusive_group()
    for flag, value, said in (
        ("--disable", True, "no login any more, sessions end at once"),
        ("--enable", False, "may log in again"),
    ):
        is_disabled.add_argument(
            flag, dest="is_disabled", action="store_const", const=value, help=said
        )
    edit.add_argument("--version", type=int, help="refuse if it is another by now")
    summary = "let a user choose a password, once"
    invite = add(verbs, "invite", invite_user, summary, route="POST /users/{login}/invite")
    invite.add_argument("login", metavar="LOGIN")
    summary = "give a user a password, read from standard input"
    setting = add(
        verbs, "set-password", set_password, summary, route="POST /users/{login}/password"
    )
    setting.add_argument("login", metavar="LOGIN")
