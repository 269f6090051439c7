"""`fleet grafana check|push` against a Grafana that keeps what it is given."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from fix_http import serving
from fix_ports import free_port
from fleet_dashboards.datasources import CONTROL_UID
from fleet_dashboards.push import Addresses, Secrets, main
from fleet_dashboards.push.instance import ACTIONS, is_allowed, refuse_version
from fleet_dashboards.push.server import GrafanaError
from fleet_dashboards.push.wanted import load_dashboards, make_sources
from kept_grafana import LOGIN, TOKEN, KeptGrafana
from test_provisioning import VALUES, render

ADDRESSES = Addresses("http://127.0.0.1:9090", "127.0.0.1:5432", "http://127.0.0.1:8080/api/v1")
SECRETS = Secrets("the-password", "the-proxy-secret")
BOARDS = [each["uid"] for each in load_dashboards()]


@pytest.fixture
def grafana():
    """A Grafana with the settings that buttons need, and nothing of ours."""
    kept = KeptGrafana()
    with serving(kept.server) as kept.url:
        kept.settings["security"]["actions_allow_post_url"] = ACTIONS
        kept.settings["server"]["root_url"] = f"{kept.url}/"
        yield kept


@pytest.fixture
def fleet(grafana, tmp_path, capsys):
    """Run the command with a token; returns exit code and output."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")

    def run(verb, *argv, addresses=ADDRESSES, secrets=SECRETS):
        told = [verb, "--url", grafana.url, "--token-file", str(tmp_path / "token"), *argv]
        code = main(told, addresses, secrets)
        return code, capsys.readouterr().out

    return run


def find(out, name):
    """What is said of one thing."""
    [line] = [line for line in out.splitlines() if line.split()[1:2] == [name]]
    return " ".join(line.split()[2:])


def test_check_tells_everything_that_is_missing_and_changes_nothing(fleet, grafana):
    """Exit code 1."""
    code, out = fleet("check")

    assert code == 1
    names = ["fleet", "fleet-prometheus", "fleet-postgres", CONTROL_UID, *BOARDS]
    assert {find(out, name) for name in names} == {"missing"}
    assert grafana.writes == []


def test_push_puts_everything_there_once(fleet, grafana):
    """Then nothing differs; a second push writes no dashboard anew."""
    assert fleet("push")[0] == 0
    assert fleet("check")[0] == 0

    assert grafana.folders["fleet"]["title"] == "Fleet"
    assert {each["meta"]["folderUid"] for each in grafana.dashboards.values()} == {"fleet"}
    assert set(grafana.dashboards) == set(BOARDS)
    grafana.writes.clear()
    assert fleet("push")[0] == 0
    assert not [each for each in grafana.writes if "dashboards" in each]


def test_pushed_sources_are_those_that_are_provisioned():
    """But for their names, secrets, and which is the default: two descriptions of one thing."""
    provisioned = {each["uid"]: each for each in render("datasources")["datasources"]}
    for made in make_sources(ADDRESSES, SECRETS):
        other = provisioned[made["uid"]]
        secrets = other.get("secureJsonData", {})
        assert {**made, "user": made["user"] or None} == {
            "uid": other["uid"], "type": other["type"], "access": other["access"],
            "url": other["url"], "user": other.get("user"), "jsonData": other["jsonData"],
            "name": made["name"],
            "secureJsonData": {name: made["secureJsonData"][name] for name in secrets},
        }  # fmt: skip
    assert VALUES["control_url"] == f"{ADDRESSES.control_url}/buttons"


def test_older_dashboard_of_ours_is_written_anew_without_asking(fleet, grafana):
    """Nobody has touched it there."""
    fleet("push")
    there = grafana.dashboards[BOARDS[0]]["dashboard"]
    there["title"] = "As it was called before"
    code, out = fleet("check")
    assert (code, find(out, BOARDS[0])) == (1, "differs: title")

    assert fleet("push")[0] == 0
    assert grafana.dashboards[BOARDS[0]]["dashboard"]["title"] != "As it was called before"


def test_edited_dashboard_is_overwritten_only_when_somebody_agrees(fleet, grafana, monkeypatch):
    """What was edited, by whom; without a person to ask, --yes agrees."""
    fleet("push")
    grafana.edit(BOARDS[0], title="Mine")
    code, out = fleet("check")
    assert (code, find(out, BOARDS[0])) == (
        1, "edited there: by ada at 2026-11-28T12:00:00Z: title",
    )  # fmt: skip

    monkeypatch.setattr("sys.stdin", io.StringIO())
    grafana.writes.clear()
    with pytest.raises(GrafanaError, match=f"{BOARDS[0]} would be overwritten; --yes"):
        fleet("push")
    assert grafana.writes == []
    assert grafana.dashboards[BOARDS[0]]["dashboard"]["title"] == "Mine"

    assert fleet("push", "--yes")[0] == 0
    assert fleet("check")[0] == 0


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_person_is_asked(fleet, grafana, monkeypatch, answer):
    """No answer is none."""
    fleet("push")
    grafana.edit(BOARDS[0], title="Mine")
    typed = io.StringIO(f"{answer}\n")
    typed.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", typed)
    if answer == "y":
        assert "Overwrite" in fleet("push")[1]
    else:
        with pytest.raises(GrafanaError, match="nothing was changed"):
            fleet("push")

    assert (grafana.dashboards[BOARDS[0]]["dashboard"]["title"] == "Mine") is (answer != "y")


def test_edit_that_adds_something_is_seen_too(fleet, grafana):
    """Though all that should be there is."""
    fleet("push")
    grafana.edit(BOARDS[0], weekStart="monday")

    assert "something was added" in find(fleet("check")[1], BOARDS[0])


def test_moved_dashboard_is_an_edit(fleet, grafana):
    """Somebody wanted it elsewhere."""
    fleet("push")
    grafana.dashboards[BOARDS[0]]["meta"]["folderUid"] = "elsewhere"

    assert "lies in another folder" in find(fleet("check")[1], BOARDS[0])


def test_changed_source_is_told_and_asked_for(fleet, grafana, monkeypatch):
    """Grafana does not say who changed it. Its name stays the one that people gave it."""
    fleet("push")
    there = grafana.sources["fleet-prometheus"]
    there |= {"url": "http://elsewhere:9090", "name": "Mine", "isDefault": True}
    del grafana.sources["fleet-postgres"]["secureJsonFields"]["password"]
    out = fleet("check")[1]
    assert find(out, "fleet-prometheus") == "differs: url is 'http://elsewhere:9090'"
    assert find(out, "fleet-postgres") == "differs: no password is set"

    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(GrafanaError, match="fleet-prometheus, fleet-postgres would be overwritten"):
        fleet("push")
    fleet("push", "--yes")
    there = grafana.sources["fleet-prometheus"]
    assert (there["url"], there["name"], there["isDefault"]) == (
        ADDRESSES.prometheus_url, "Mine", True,
    )  # fmt: skip


def test_provisioned_dashboard_is_left_alone(fleet, grafana):
    """Its file is the place to change it; the rest is written."""
    fleet("push")
    kept = grafana.dashboards[BOARDS[0]]
    kept["meta"]["provisioned"] = True
    kept["dashboard"]["title"] = "From a file"
    del grafana.dashboards[BOARDS[1]]
    code, out = fleet("push")

    assert code == 0
    assert f"Provisioned from files there, so left alone: {BOARDS[0]}." in out
    assert BOARDS[1] in grafana.dashboards


def test_dashboard_that_changes_meanwhile_is_not_overwritten(fleet, grafana, monkeypatch):
    """Between looking and writing."""
    fleet("push")
    grafana.edit(BOARDS[0], title="Mine")
    typed = io.StringIO("y\n")
    typed.isatty = lambda: grafana.edit(BOARDS[0], title="Still mine") is None
    monkeypatch.setattr("sys.stdin", typed)

    with pytest.raises(GrafanaError, match="it was changed there meanwhile"):
        fleet("push")
    assert grafana.dashboards[BOARDS[0]]["dashboard"]["title"] == "Still mine"


def test_settings_of_its_file_are_told_with_the_lines_to_add(fleet, grafana):
    """No API changes them. A login that may not read them is told what to look for."""
    fleet("push")
    grafana.settings = {"security": {"actions_allow_post_url": "/api/plugins/*"}, "server": {}}
    code, out = fleet("check")
    assert code == 1
    assert find(out, "actions_allow_post_url") == (
        "differs: is /api/plugins/*; grafana.ini must have, below [security]: "
        f"actions_allow_post_url = {ACTIONS}"
    )
    assert f"root_url = {grafana.url}/" in find(out, "root_url")
    assert "Buttons do not work until the setting root_url is right." in fleet("push")[1]

    grafana.is_admin = False
    code, out = fleet("check")
    assert (code, "not readable by this login; grafana.ini must have" in out) == (0, True)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("12.2.9", "older than 12.3"),
        ("11.6.0+security-01", "older than 12.3"),
        ("13.2.0", "break without the vendor's server"),
        ("13.2.1", "break without the vendor's server"),
        ("", "does not say its version"),
        ("12.3.0", None),
        ("12.4.0-pre", None),
        ("13.2.2", None),
    ],
)
def test_version_is_judged(version, said):
    """With its reason."""
    assert (said in refuse_version(version)) if said else (refuse_version(version) == "")


def test_unusable_version_is_refused_before_anything(fleet, grafana):
    """Nothing is written."""
    grafana.version = "12.2.0"

    with pytest.raises(GrafanaError, match=r"Grafana 12\.2\.0 is older"):
        fleet("push", "--yes")
    assert grafana.writes == []


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [
        (ACTIONS, True),
        (f"/api/plugins/*,{ACTIONS}", True),
        (f"/api/plugins/* {ACTIONS}", True),
        ("", False),
        ("/api/datasources/proxy/uid/other/**", False),
    ],
)
def test_patterns_of_buttons_are_understood(patterns, allowed):
    """Several stand beside each other."""
    assert is_allowed(patterns) is allowed


def test_programs_get_json(fleet):
    """The same, and nothing secret."""
    code, out = fleet("check", "--json")
    told = json.loads(out)

    assert (code, told["version"]) == (1, "12.4.0")
    assert told["found"][0] == {
        "kind": "folder", "name": "fleet", "state": "missing", "detail": "", "is_locked": False,
    }  # fmt: skip
    assert "the-password" not in out


def test_login_comes_from_files_or_from_standard_input(grafana, tmp_path, monkeypatch, capsys):
    """Never from an argument; a wrong one is told."""
    (tmp_path / "password").write_text(LOGIN[1])
    argv = ["check", "--url", grafana.url, "--user", LOGIN[0]]
    assert main([*argv, "--password-file", str(tmp_path / "password")], ADDRESSES, SECRETS) == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{LOGIN[1]}\n"))
    assert main(argv, ADDRESSES, SECRETS) == 1

    monkeypatch.setattr("sys.stdin", io.StringIO("wrong\n"))
    with pytest.raises(GrafanaError, match="does not know this login"):
        main(argv, ADDRESSES, SECRETS)
    with pytest.raises(GrafanaError, match="a login is needed"):
        main(argv[:3], ADDRESSES, SECRETS, url="http://other:1", credential=("admin", "home's"))
    (tmp_path / "password").write_text("")
    with pytest.raises(GrafanaError, match="is empty"):
        main([*argv, "--password-file", str(tmp_path / "password")], ADDRESSES, SECRETS)
    assert LOGIN[1] not in capsys.readouterr().out


def test_home_has_its_own(grafana, capsys):
    """Address, login, and the address that buttons are checked by."""
    code = main(
        ["push"], ADDRESSES, SECRETS,
        url=grafana.url, root_url="https://fleet.lan/grafana", credential=LOGIN,
    )  # fmt: skip

    assert code == 0
    assert "root_url = https://fleet.lan/grafana/" in capsys.readouterr().out
    with pytest.raises(GrafanaError, match="--url names the one"):
        main(["check"], ADDRESSES, SECRETS)


def test_silent_or_foreign_server_is_told(tmp_path):
    """Nobody there, or no address at all."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(GrafanaError, match=f"{url} does not answer"):
        main(["check", "--url", url], ADDRESSES, SECRETS, url=url, credential=LOGIN)
    with pytest.raises(GrafanaError, match="is no address of a Grafana"):
        main(["check"], ADDRESSES, SECRETS, url="ftp://127.0.0.1", credential=LOGIN)


def test_sources_of_this_machine_alone_are_refused_elsewhere():
    """Grafana there would ask itself."""
    argv = ["check", "--url", "http://grafana.lan:3000", "--prometheus-url", "http://prom.lan:9090"]
    with pytest.raises(GrafanaError, match=r"127\.0\.0\.1:5432 is this machine alone.*--database"):
        main(argv, ADDRESSES, SECRETS)


def test_tls_of_the_control_api_is_passed_on(fleet, grafana):
    """The certificate of who signed it is a secret to Grafana, the name is not."""
    fleet(
        "push",
        addresses=replace(ADDRESSES, control_server_name="fleet.lan"),
        secrets=replace(SECRETS, control_authority="-----BEGIN CERTIFICATE-----"),
    )
    there = grafana.sources[CONTROL_UID]

    assert there["jsonData"]["serverName"] == "fleet.lan"
    assert there["jsonData"]["tlsAuthWithCACert"] is True
    assert there["secureJsonFields"] == {"httpHeaderValue1": True, "tlsCACert": True}
