"""What the launcher puts into the database can be put there again."""

from __future__ import annotations

import hashlib
import uuid

import psycopg
import pytest
from fleet_stack.commands.logins import find_password
from fleet_stack.home.secrets import Secrets
from fleet_stack.parts import enrolment
from fleet_timescale.errors import DatabaseError

ADDRESS = "127.0.0.1:20006"


@pytest.fixture
def secrets(tmp_path):
    return Secrets(tmp_path / "secrets")


def test_every_role_gets_its_login(database, secrets):
    """Each address of the home names its own role and carries a password of its own."""
    node = enrolment.settle(database.dsn(), secrets, uuid.uuid4(), ADDRESS)

    for name, user in [(role, f"fleet_{role}") for role in enrolment.ROLES] + [
        ("node", f"fleet_node_{node}")
    ]:
        with psycopg.connect(secrets.read(f"{name}.dsn")) as connection:
            assert user == connection.info.user
            assert secrets.read(f"{name}_password") == connection.info.password


def test_passwords_are_stored_as_scram(database, owner, secrets):
    """No clear text in the server's catalogue, nor in a statement that could be logged."""
    enrolment.settle(database.dsn(), secrets, uuid.uuid4(), ADDRESS)
    stored = owner.execute(
        "SELECT rolpassword FROM pg_authid WHERE rolname = 'fleet_control'"
    ).fetchone()

    assert stored["rolpassword"].startswith("SCRAM-SHA-256$4096:")


def test_second_run_changes_no_identity(database, owner, secrets):
    """The same machine stays the same node, and people keep what they changed."""
    node_id = uuid.uuid4()
    first = enrolment.settle(database.dsn(), secrets, node_id, ADDRESS)
    owner.execute(
        "UPDATE control.users SET password_hash = 'changed', role = 'viewer' "
        "WHERE login = 'operator'"
    )
    second = enrolment.settle(database.dsn(), secrets, node_id, "127.0.0.1:20026")
    node = owner.execute(
        "SELECT scrape_address FROM fleet.nodes WHERE node_id = %s", [node_id]
    ).fetchone()
    user = owner.execute(
        "SELECT password_hash, role FROM control.users WHERE login = 'operator'"
    ).fetchone()

    assert first == second
    assert node["scrape_address"] == "127.0.0.1:20026"
    assert user == {"password_hash": "changed", "role": "viewer"}


def test_nodes_of_a_twin_are_enrolled_below_one_address(database, owner, secrets):
    """Each with its own path and login; those beyond the number are taken out, and come back."""
    host = uuid.uuid4()
    # Logins are the server's, and other tests need those of its nodes.
    owner.execute("UPDATE fleet.nodes SET removed_at = now()")

    def settle(count):
        node = enrolment.settle(database.dsn(), secrets, host, ADDRESS, count)
        rows = owner.execute(
            "SELECT node, login, scrape_address FROM fleet.nodes WHERE removed_at IS NULL"
        ).fetchall()
        assert node == "twin"
        return {row["node"]: row["scrape_address"] for row in rows}

    assert settle(2) == {
        "gamer-1": f"{ADDRESS}/gamer-1/metrics",
        "desktop-1": f"{ADDRESS}/desktop-1/metrics",
    }
    assert settle(1).keys() == {"gamer-1"}
    closed = "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'fleet_node_desktop-1'"
    assert owner.execute(closed).fetchone() == {"rolcanlogin": False}
    assert settle(2).keys() == {"gamer-1", "desktop-1"}
    for node in ("gamer-1", "desktop-1"):
        owner.execute(f'DROP ROLE "fleet_node_{node}"')


def test_tokens_are_known_by_their_digest_and_scope(database, owner, secrets):
    """One token for people, one for discovery, one for metrics."""
    enrolment.settle(database.dsn(), secrets, uuid.uuid4(), ADDRESS)
    rows = owner.execute(
        "SELECT name, scope, token_hash FROM control.tokens ORDER BY name"
    ).fetchall()
    digests = {row["name"]: row["token_hash"] for row in rows}

    assert {row["name"]: row["scope"] for row in rows} == {
        "admin-cli": "admin",
        "prometheus-metrics": "metrics",
        "alertmanager-webhook": "webhook",
        "prometheus-sd": "sd",
    }
    assert hashlib.sha256(secrets.read("sd_token").encode()).digest() == digests["prometheus-sd"]


def test_scrape_token_and_the_next_are_announced(database, owner, secrets):
    """Exporters accept both; another `up` changes nothing."""
    for _ in range(2):
        enrolment.settle(database.dsn(), secrets, uuid.uuid4(), ADDRESS)

    [row] = owner.execute("SELECT fleet.scrape_hashes() AS hashes").fetchall()
    tokens = [secrets.scrape.read(name) for name in ("token", "next")]
    assert row["hashes"] == [hashlib.sha256(token.encode()).hexdigest() for token in tokens]


def test_first_people_have_passwords_that_argon2_knows(database, owner, secrets):
    """The printed password is the one that the control API will accept."""
    from argon2 import PasswordHasher  # noqa: PLC0415 - an extra of the control API

    enrolment.settle(database.dsn(), secrets, uuid.uuid4(), ADDRESS)
    for row in owner.execute(
        "SELECT login, role::text AS role, password_hash FROM control.users"
    ).fetchall():
        assert row["login"] == row["role"]
        assert PasswordHasher().verify(
            row["password_hash"], secrets.read(f"user_{row['login']}_password")
        )


def test_logins_of_another_home_on_the_server_are_left_alone(database, tmp_path):
    """Roles belong to the whole server: new passwords would lock the first home out."""
    first, second = Secrets(tmp_path / "first"), Secrets(tmp_path / "second")
    enrolment.settle(database.dsn(), first, uuid.uuid4(), ADDRESS)
    enrolment.refuse_foreign_roles(database.dsn(), first)

    with pytest.raises(DatabaseError, match=r"fleet_analyst, fleet_control.*fleet_analyst NOLOGIN"):
        enrolment.refuse_foreign_roles(database.dsn(), second)
    assert not second.has("control_password")


def test_logins_of_a_home_that_is_gone_can_be_given_to_another(database, owner, secrets):
    """What the sentence advises is enough."""
    for role in enrolment.ROLES:
        owner.execute(f"ALTER ROLE fleet_{role} NOLOGIN")
    enrolment.refuse_foreign_roles(database.dsn(), secrets)

    assert enrolment.settle(database.dsn(), secrets, uuid.uuid4(), ADDRESS)


def test_people_of_an_earlier_home_are_told_apart(database, secrets, tmp_path):
    """Their passwords are not those of this home, so `logins` must not show any."""
    assert enrolment.find_foreign_people(database.dsn(), secrets) == []
    enrolment.settle(database.dsn(), secrets, uuid.uuid4(), ADDRESS)
    later = Secrets(tmp_path / "later")

    assert enrolment.find_foreign_people(database.dsn(), secrets) == []
    assert enrolment.find_foreign_people(database.dsn(), later) == list(enrolment.USERS)
    assert find_password(later, "admin") == "(as set before this home)"
    assert find_password(secrets, "admin") == secrets.read("user_admin_password")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (psycopg.OperationalError("no route\nhint"), "cannot be reached: no route; put"),
        (psycopg.errors.InsufficientPrivilege("must be owner"), "refused: must be owner; put"),
    ],
)
def test_what_the_database_says_is_one_sentence(error, said):
    """No traceback for people."""

    def ask():
        with enrolment.readable_errors():
            raise error

    with pytest.raises(DatabaseError, match=said):
        ask()


def test_machine_keeps_its_identity(tmp_path):
    """The file is made once."""
    file = tmp_path / "node_id"

    assert enrolment.load_node_id(file) == enrolment.load_node_id(file)
