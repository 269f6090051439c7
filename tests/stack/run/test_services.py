"""The programs that supervisor runs: commands, environments, and that no secret is in either."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fleet_orchestrator.settings import NodeSettings
from fleet_stack.home import stack
from fleet_stack.home.account import Account
from fleet_stack.home.homes import Home
from fleet_stack.home.placement import Placement
from fleet_stack.home.ports import SERVICES
from fleet_stack.home.secrets import Secrets
from fleet_stack.parts.models import Model
from fleet_stack.parts.program import Program
from fleet_stack.run import render, services
from fleet_stack.run.assembly import assemble
from fleet_stack.run.preflight import Preflight
from fleet_stack.run.shutdown import MARK

NAMES = ("admin_token", "node.dsn", "control.dsn", "jwt_key", "proxy_secret", "grafana_secret_key",
         "user_admin_password", "owner.dsn")  # fmt: skip


@pytest.fixture
def whole(tmp_path):
    ports = {name: 20000 + number for number, name in enumerate(SERVICES)}
    programs = {
        "prometheus": Program(
            "prometheus", Path("/x/prometheus"), extra=("--web.local-assets=/x/web/",)
        ),
        "alertmanager": Program("alertmanager", Path("/x/alertmanager")),
        "grafana": Program("grafana", Path("/x/grafana"), extra=("--homepath", "/x")),
    }
    model = Model(Path("/m.gguf"), "tiny", None, "from your file")
    secrets = Secrets(tmp_path / "secrets")
    for name in NAMES:
        secrets.ensure(name)
    user = Account("fleet", 990, 990)
    base = Preflight(
        home=Home(tmp_path),
        environ={},
        externals={},
        ports=ports,
        placement=Placement(user, user, tmp_path / "postgres"),
        secrets=secrets,
        runtime=tmp_path / "run",
        progress=lambda _line: None,
    )
    return assemble(base, "alpha", programs, model)


def by_name(whole):
    return {service.name: service for service in services.plan(whole, {})}


def test_all_managed_parts_but_the_worker_are_services(whole):
    """The worker is the agent's child; PostgreSQL comes first."""
    names = [service.name for service in services.plan(whole, {})]

    assert set(stack.NAMES) - {"worker", "twin", "sms-bridge"} == set(names)
    assert names[0] == "postgres"


def test_a_twin_stands_for_a_node_many_times(whole):
    """It runs instead of exporter, agent and model server, at their ports, with no secret shown."""
    base = replace(whole.base, twin_nodes=20)
    twin = by_name(assemble(base, "twin", whole.programs, whole.model))

    assert not {"exporter", "node", "llm"} & twin.keys()
    assert twin["twin"].environment["FLEET_TWIN_NODES"] == "20"
    assert twin["twin"].environment["FLEET_LISTEN"] == whole.address("exporter")
    assert twin["twin"].environment["FLEET_LLM_LISTEN"] == whole.address("llm")
    assert base.secrets.read("owner.dsn") not in str(twin["twin"])


def test_absent_and_external_parts_are_not_run(whole):
    """We never start what is not there or not ours."""
    parts = {
        **whole.decision.parts,
        "grafana": stack.Part(stack.ABSENT),
        "llm": stack.Part(stack.EXTERNAL, "http://x/v1"),
    }
    changed = replace(whole, decision=replace(whole.decision, parts=parts))

    assert not {"grafana", "llm"} & set(by_name(changed))


def test_no_secret_is_in_a_command_or_an_environment(whole):
    """All users of a machine see command lines; supervisor's file is readable as well."""
    values = [whole.base.secrets.read(name) for name in NAMES]
    texts = [
        text
        for service in services.plan(whole, {})
        for text in (*service.command, *service.environment.values())
    ]

    assert not [text for text in texts for value in values if value in text]


def test_programs_get_their_own_login_only(whole):
    """A worker that a model tricks finds no other password in its environment."""
    found = {
        name: service.environment.get("FLEET_DATABASE_URL_FILE", "").rpartition("/")[2]
        for name, service in by_name(whole).items()
    }

    assert {name: file for name, file in found.items() if file} == {
        "exporter": "node.dsn",
        "node": "node.dsn",
        "master": "master.dsn",
        "control-api": "control.dsn",
    }


def test_model_server_address_ends_in_v1(whole):
    """The openai client appends its paths to it, for our own server and for one of the user's."""
    own = by_name(whole)["node"].environment["FLEET_LLM_URL"]
    external = replace(whole, model=Model(None, "llama", "http://10.0.0.2:1/v1", "of Ollama"))

    assert own == "http://127.0.0.1:20004/v1"
    assert by_name(external)["node"].environment["FLEET_LLM_URL"] == "http://10.0.0.2:1/v1"


def test_programs_know_whom_to_ask_of_alerts(whole):
    """The master samples Prometheus, the control API silences Alertmanager; logins are files."""
    own = by_name(whole)
    base = replace(whole.base, externals={"alertmanager": "https://me:pw7@am.example.com"})
    external = by_name(replace(whole, base=base))["control-api"].environment

    assert own["master"].environment["FLEET_PROMETHEUS_URL"] == "http://127.0.0.1:20001"
    assert own["control-api"].environment["FLEET_ALERTMANAGER_URL"] == "http://127.0.0.1:20002"
    assert external["FLEET_ALERTMANAGER_URL_FILE"].endswith("/external_alertmanager_url")
    assert not [value for value in external.values() if "pw7" in value]


def test_login_of_a_model_server_is_in_no_command_or_environment(whole):
    """It reaches the worker as a file; a new password there makes it start anew."""
    url = "http://me:pw7@10.0.0.2:1/v1"
    whole.base.secrets.put("llm_url", url)
    external = replace(whole, model=Model(None, "llama", url, "of FLEET_LLM at http://10.0.0.2"))
    environment = by_name(external)["node"].environment
    whole.base.secrets.put("llm_url", url.replace("pw7", "pw8"))

    assert NodeSettings.from_environ(environment).llm_url == url.replace("pw7", "pw8")
    assert not [text for text in environment.values() if "pw7" in text]
    assert Path(environment["FLEET_LLM_URL_FILE"]) == whole.base.secrets.path("llm_url")
    assert "FLEET_LLM_URL" not in environment
    assert environment != by_name(external)["node"].environment


def test_agent_answers_peers_on_loopback_unless_told_otherwise(whole):
    """A free port of this machine, or the address that its owner names."""
    base = replace(whole.base, environ={"FLEET_PEER_LISTEN": "192.0.2.7:9810"})

    here = NodeSettings.from_environ(listened_at(whole))
    there = NodeSettings.from_environ(listened_at(replace(whole, base=base)))

    assert (here.peer_address.host, here.peer_address.port) == ("127.0.0.1", 0)
    assert (there.peer_address.host, there.peer_address.port) == ("192.0.2.7", 9810)


def listened_at(whole):
    return by_name(whole)["node"].environment


def test_links_of_prometheus_begin_where_people_browse(whole):
    """They stand in mails; a path of the control API's is not Prometheus's."""
    base = replace(whole.base, environ={"FLEET_PUBLIC_URL": "https://fleet.lan/fleet"})
    public = replace(whole, base=base)

    assert "--web.external-url=http://127.0.0.1:20001" in by_name(whole)["prometheus"].command
    for name, port in (("prometheus", 20001), ("alertmanager", 20002)):
        assert f"--web.external-url=https://fleet.lan:{port}" in by_name(public)[name].command


def test_changed_configuration_restarts_only_its_program(whole):
    """The checksum is part of what supervisor compares."""
    before = {service.name: service for service in services.plan(whole, {"prometheus": "a"})}
    after = {service.name: service for service in services.plan(whole, {"prometheus": "b"})}

    assert [name for name in before if before[name] != after[name]] == ["prometheus"]


def test_base_environment_is_clean():
    """Nothing of the calling shell comes along but what programs need; the mark is there."""
    environ = {"PATH": "/bin", "FLEET_ADMIN_TOKEN": "x", "AWS_SECRET": "y", "TZ": "UTC"}
    base = services.render_base_environment(Path("/srv/fleet"), environ)

    assert (
        base["PATH"],
        base["TZ"],
        base[MARK],
        base["HOME"],
    ) == ("/bin", "UTC", "/srv/fleet", "/srv/fleet")
    assert not {"FLEET_ADMIN_TOKEN", "AWS_SECRET"} & set(base)


def test_grafana_reads_its_secrets_from_files(whole):
    """The expansion is Grafana's own; its buttons may post to one place only."""
    environment = by_name(whole)["grafana"].environment

    assert (
        f"$__file{{{whole.base.secrets.path('user_admin_password')}}}"
        == environment["GF_SECURITY_ADMIN_PASSWORD"]
    )
    assert (
        environment["GF_SECURITY_ACTIONS_ALLOW_POST_URL"]
        == "/api/datasources/proxy/uid/fleet-control/**"
    )
    assert environment["GF_SERVER_ROOT_URL"] == "http://127.0.0.1:20003/"
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"


def test_third_party_programs_listen_on_loopback(whole):
    """Nothing is reachable from the network unless a person says so."""
    found = by_name(whole)

    assert "--web.listen-address=127.0.0.1:20001" in found["prometheus"].command
    assert "--web.local-assets=/x/web/" in found["prometheus"].command
    assert "--cluster.listen-address=" in found["alertmanager"].command
    assert found["grafana"].environment["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_compiled_modules_have_a_place(whole):
    """Another user cannot write beside the modules; whoever calls `up` never runs what it wrote."""
    environment = by_name(whole)["control-api"].environment
    base = services.render_base_environment(Path("/srv/fleet"), {})

    assert environment["PYTHONPYCACHEPREFIX"] == str(whole.base.home.path("pycache"))
    assert "PYTHONPYCACHEPREFIX" not in base


def test_alertmanager_tells_times_where_people_are(whole):
    """Its templates know the local time of its process only."""
    base = replace(whole.base, environ={"FLEET_TIME_ZONE": "Europe/Berlin"})

    assert by_name(replace(whole, base=base))["alertmanager"].environment["TZ"] == "Europe/Berlin"
    assert "TZ" not in by_name(whole)["alertmanager"].environment


def test_mails_leave_the_machine_by_a_server_of_ones_own(whole):
    """The catcher is not run then, and the configuration names server, login and receivers."""
    given = {
        "FLEET_SMTP_URL": "smtp://me@mail.example",
        "FLEET_SMTP_PASSWORD_FILE": "/pw",
        "FLEET_MAIL_FROM": "fleet@mail.example",
        "FLEET_MAIL_TO": "a@b",
        "FLEET_MAIL_TO_CRITICAL": "c@d",
    }
    base = replace(whole.base, environ=given)
    changed = assemble(base, "alpha", whole.programs, whole.model)
    values = render.collect_mail(changed)

    assert "mail" not in by_name(changed)
    assert changed.decision.parts["mail"].url == "smtp://mail.example:587"
    assert values["smtp_address"] == "mail.example:587"
    assert values["smtp_password_file"] == str(whole.base.secrets.path("smtp_password"))
    assert (values["mail_to"], values["mail_to_critical"]) == ("a@b", "c@d")
    assert values["smtp_needs_starttls"] is True
    assert render.collect_mail(whole)["mail_to"] == "operator@localhost"


def test_text_messages_are_sent_by_a_program_of_its_own(whole):
    """Where a provider is named; its file is a secret, and a change of it a restart."""
    whole.base.secrets.put("sms.toml", "token")
    base = replace(whole.base, environ={"FLEET_SMS_FILE": "/sms.toml"})
    changed = assemble(base, "alpha", whole.programs, whole.model)
    bridge = by_name(changed)["sms-bridge"]
    values = render.collect_pagers(changed)

    assert bridge.environment["FLEET_SMS_FILE"] == str(base.secrets.path("sms.toml"))
    assert bridge.environment["FLEET_DATABASE_URL_FILE"].endswith("sms.dsn")
    assert values["sms_url"] == f"http://{changed.address('sms-bridge')}/alerts"
    assert "sms-bridge" in changed.decision.shown
    assert "sms-bridge" not in whole.decision.shown
    assert render.collect_pagers(whole)["sms_url"] == ""
