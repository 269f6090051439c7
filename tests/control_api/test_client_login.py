"""`fleet login|logout|whoami`, and the login that all other commands use."""

from __future__ import annotations

import io
import json
import re
import stat
import threading
from dataclasses import replace

import pytest
from fix_control import make_user
from fix_ports import free_port
from fleet_control_api.client.bearers import SessionBearer
from fleet_control_api.client.login import add_login
from fleet_control_api.client.place import Place, parse_url
from fleet_control_api.client.remote import Remote, Token
from fleet_control_api.client.sessions import Session, SessionFolder
from fleet_control_api.service.errors import ClientError, LoggedOutError

PASSWORD = "correct horse battery"


@pytest.fixture
def ada(owner, tmp_path):
    """An operator; returns the file with her password."""
    make_user(owner, "ada", "operator", PASSWORD)
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    return str(file)


@pytest.fixture
def logged_in(fleet, ada, served_url):
    """Ada has logged in to a machine without a home; returns what runs commands there."""
    assert fleet("login", served_url, "--user", "ada", "--password-file", ada, url="")[0] == 0

    def run(*argv, **environ):
        return fleet(*argv, **{"url": "", "token": "", **environ})

    return run


@pytest.fixture
def sessions(tmp_path):
    return SessionFolder(tmp_path / "config" / "fleet" / "sessions")


def spoil(sessions, url, **values):
    """Change what is kept of a login."""
    sessions.store(replace(sessions.load(url), **values))


def test_commands_are_those_of_who_logged_in(logged_in, api):
    """Without a home and a token; the audit log has her name."""
    assert logged_in("pause", "--reason", "noise")[0] == 0

    assert [(row["actor"], row["way"], row["action"]) for row in api.audit()] == [
        ("ada", "login", "auth.login"),
        ("ada", "login", "fleet.pause"),
    ]


def test_login_goes_before_the_token_of_the_home(logged_in, served_url, api):
    """Who logged in at her own machine is herself there, until she logs out."""
    home = {"url": served_url, "token": api.token("admin")}

    assert json.loads(logged_in("whoami", "--json", **home)[1])["way"] == "session"
    assert logged_in("logout", **home)[1] == f"ada is logged out at {served_url}.\n"
    told = json.loads(logged_in("whoami", "--json", **home)[1])
    assert told == {
        "name": "admin-token",
        "role": "admin",
        "way": "home",
        "expires_at": None,
        "url": served_url,
    }


def test_given_token_goes_before_the_login(logged_in, served_url, api, tmp_path):
    """From a file, with the address beside it."""
    file = tmp_path / "token"
    file.write_text(f"{api.token('viewer')}\n")
    said = logged_in(
        "whoami", FLEET_API_URL=served_url.removesuffix("/api/v1"), FLEET_API_TOKEN_FILE=str(file)
    )[1]

    assert re.search(r"name +viewer-token\nrole +viewer\nway +token\n", said)
    file.write_text("")
    assert "is empty" in logged_in("whoami", FLEET_API_TOKEN_FILE=str(file))[2]
    assert "cannot be read" in logged_in("whoami", FLEET_API_TOKEN_FILE=f"{file}s")[2]


def test_whoami_says_until_when(logged_in, served_url):
    """A login is good for a week."""
    said = logged_in("whoami")[1]

    assert re.search(
        r"name +ada\nrole +operator\nway +session\nexpires at +2\S+ \S+ \(in 7 d", said
    )
    assert f"{served_url}\n" in said


def test_login_is_private(sessions, served_url, logged_in):
    """Nobody else can read the file or look into its folder."""
    files = list(sessions.root.iterdir())

    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(sessions.root.stat().st_mode) == 0o700
    assert PASSWORD not in "".join(path.read_text() for path in files)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_login_that_others_can_read_is_refused(sessions, served_url, logged_in, mode):
    """They may have used it."""
    [file] = sessions.root.glob("*.json")
    file.chmod(mode)
    code, _, err = logged_in("jobs", "list")

    assert (code, f"other users can read {file} (mode {mode:04o})" in err) == (1, True)
    assert "`./fleet logout`, then `./fleet login`" in err


def test_link_in_the_place_of_a_login_is_refused(sessions, served_url, logged_in, tmp_path):
    """It could lead to a file of somebody else's choice."""
    [file] = sessions.root.glob("*.json")
    file.replace(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")

    assert "cannot be read" in logged_in("jobs", "list")[2]


def test_folder_that_others_can_write_is_refused(sessions, fleet, ada, served_url):
    """They could put their own login there."""
    sessions.root.mkdir(parents=True)
    sessions.root.chmod(0o777)
    code, _, err = fleet("login", served_url, "--user", "ada", "--password-file", ada)

    assert (code, "other users can write into" in err) == (1, True)


def test_damaged_file_is_told(sessions, logged_in):
    """With what to do."""
    [file] = sessions.root.glob("*.json")
    file.write_text("{")

    assert f"{file} is damaged\n       Remove it" in logged_in("jobs", "list")[2]


def test_spent_access_token_is_renewed(logged_in, sessions, served_url, api):
    """Both before it is used, and when the API refuses one that looked good; nobody notices."""
    spoil(sessions, served_url, access_until=0)
    before = sessions.load(served_url)
    assert logged_in("jobs", "list")[0] == 0
    after = sessions.load(served_url)
    assert after.refresh_token != before.refresh_token

    spoil(sessions, served_url, access_token="a.b.c")
    assert logged_in("pause")[0] == 0
    assert sessions.load(served_url).access_token != "a.b.c"
    assert [row["action"] for row in api.audit()].count("auth.refresh") == 2


def test_two_commands_renew_one_login_once(logged_in, sessions, served_url, api):
    """A refresh token used twice is taken for stolen: the second waits and takes the new one."""
    spoil(sessions, served_url, access_until=0)
    bearers = [SessionBearer(sessions, Remote(served_url, Token(""))) for _ in range(8)]
    read = []
    threads = [threading.Thread(target=lambda b=b: read.append(b.read())) for b in bearers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert read == [sessions.load(served_url).access_token] * 8
    assert [row["action"] for row in api.audit()] == ["auth.login", "auth.refresh"]
    assert logged_in("jobs", "list")[0] == 0


def test_lock_that_is_never_free_is_told(sessions):
    """Rather than waited for for ever."""
    url = "http://127.0.0.1:1/api/v1"
    with (
        sessions.lock(url, 1),
        pytest.raises(ClientError, match="another command"),
        sessions.lock(url, 0),
    ):
        pass


def test_ended_login_is_told_and_stays_ended(logged_in, owner, served_url, api):
    """Nobody becomes the home's admin because the own login has ended."""
    owner.execute("SELECT control.end_session(session_id) FROM control.sessions")
    home = {"url": served_url, "token": api.token("admin")}
    for _ in range(2):
        code, _, err = logged_in("jobs", "list", **home)
        assert code == 1
        assert err == (
            f"fleet: the login of ada at {served_url} has ended\n"
            "       `./fleet login` begins another, `./fleet logout` forgets this one.\n"
        )

    assert "had ended already" in logged_in("logout", **home)[1]
    assert logged_in("jobs", "list", **home)[0] == 0


def test_copied_login_ends_for_both(logged_in, sessions, served_url, tmp_path):
    """Whoever comes second has lost it, and so has the first: the API cannot tell the thief."""
    copy = SessionFolder(tmp_path / "copy")
    copy.store(replace(sessions.load(served_url), access_until=0))
    spoil(sessions, served_url, access_until=0)
    assert logged_in("jobs", "list")[0] == 0

    with pytest.raises(LoggedOutError, match="has ended"):
        SessionBearer(copy, Remote(served_url, Token(""))).read()
    spoil(sessions, served_url, access_until=0)
    assert "has ended" in logged_in("jobs", "list")[2]


def test_logging_in_again_ends_the_login_of_before(logged_in, fleet, ada, served_url):
    """It would lie around for a week."""
    assert fleet("login", served_url, "--user", "ada", "--password-file", ada)[0] == 0

    told = json.loads(fleet("sessions", "list", "--json")[1])["sessions"]
    assert [each["state"] for each in told] == ["live", "ended"]


def test_logout_without_an_api_forgets_all_the_same(logged_in, sessions, served_url):
    """And says that the login goes on elsewhere."""
    url = f"http://127.0.0.1:{free_port()}/api/v1"
    sessions.store(replace(sessions.load(served_url), url=url))
    code, _, err = logged_in("logout", url)

    assert (code, "is forgotten here, but not ended there" in err) == (1, True)
    assert sessions.load(url) is None
    assert sessions.load(served_url) is not None


def test_who_is_not_logged_in_is_told(fleet, logged_in, served_url):
    """At an address that nobody named before, or where the last login has ended."""
    other = f"http://127.0.0.1:{free_port()}"
    assert logged_in("jobs", "list", FLEET_API_URL=other)[2] == (
        f"fleet: nobody is logged in at {other}/api/v1\n"
        f"       `./fleet login {other}/api/v1` does.\n"
    )
    assert f"`./fleet logout {served_url}`?" in logged_in("logout", other)[2]
    assert logged_in("logout", served_url)[0] == 0
    assert "no control API is known" in logged_in("jobs", "list")[2]


def test_last_login_is_not_meant_by_who_names_a_home(logged_in):
    """A mistyped FLEET_HOME must not stop the fleet of somewhere else."""
    code, _, err = logged_in("pause", FLEET_HOME="/mistyped")

    assert (code, "no control API is known" in err) == (1, True)


def test_token_of_the_home_goes_nowhere_else(fleet, served_url):
    """Another address gets nothing of it."""
    other = f"http://127.0.0.1:{free_port()}"

    assert "nobody is logged in" in fleet("jobs", "list", FLEET_API_URL=other)[2]


def test_password_is_read_from_standard_input(fleet, ada, served_url, monkeypatch):
    """Of a script; there is nobody to type a name."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    code, out, _ = fleet("login", "--user", "ada")
    assert (code, out) == (0, f"You are ada (operator) at {served_url} until `./fleet logout`.\n")

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "nobody to ask" in fleet("login")[2]


def test_wrong_password_is_refused(fleet, ada, sessions, tmp_path, served_url):
    """And no login is kept."""
    (tmp_path / "password").write_text("wrong")
    code, _, err = fleet("login", "--user", "ada", "--password-file", ada)

    assert (code, "login or password is wrong" in err) == (1, True)
    assert sessions.load(served_url) is None
    assert "cannot be read" in fleet("login", "--user", "ada", "--password-file", "/none")[2]


def test_password_is_no_argument():
    """Everybody on the machine sees the arguments of a program."""
    import argparse  # noqa: PLC0415 - used by one test

    nouns = argparse.ArgumentParser().add_subparsers()
    add_login(nouns)

    options = {o for a in nouns.choices["login"]._actions for o in a.option_strings}
    assert {o for o in options if "pass" in o} == {"--password-file"}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/api/v1"),
        ("http://localhost:8000/api/v1/", "http://localhost:8000/api/v1"),
        ("https://Fleet.Example.com/", "https://fleet.example.com/api/v1"),
        ("https://example.com/fleet", "https://example.com/fleet/api/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/api/v1"),
    ],
)
def test_address_is_read_as_people_write_it(text, url):
    """With the prefix or without."""
    assert parse_url(text) == url


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fleet.example.com", "is no address"),
        ("ftp://fleet.example.com", "is no address"),
        ("https://ada:secret@fleet.example.com", "is no address"),
        ("https://fleet.example.com:port", "is no address"),
        ("http://fleet.example.com", "by http everybody on the way reads along"),
    ],
)
def test_unusable_address_is_refused(text, said):
    """Also plain HTTP to another machine, where a password would be read by others."""
    with pytest.raises(ClientError, match=said):
        parse_url(text)


def test_each_address_has_a_file_of_its_own(tmp_path):
    """Long and strange ones too."""
    folder = SessionFolder(tmp_path)
    urls = [f"https://{'a' * 200}.example.com/api/v1", "https://a_b/api/v1", "https://a:b/api/v1"]
    for url in urls:
        folder.store(Session(url, "ada", "a", "r", 0))

    assert [folder.load(url).url for url in urls] == urls


def test_relative_configuration_folder_is_ignored(tmp_path):
    """As the XDG specification says."""
    place = Place({"XDG_CONFIG_HOME": "here", "HOME": str(tmp_path)})

    assert place.sessions.root == tmp_path / ".config" / "fleet" / "sessions"
