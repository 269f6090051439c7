"""
Command, environment and user of the programs that supervisor runs, in the order of their start.

Pure: everything comes from the Stack. Each program gets only the secrets of its own role, as names
of files.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet_stack.home import CHECKOUT, MANAGED, addresses, load_current, settings
from fleet_stack.paging import COPIED_FILES
from fleet_stack.parts import tls
from fleet_stack.run import grafana
from fleet_stack.run.shutdown import MARK
from fleet_stack.run.supervisor import Service

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fleet_stack.home import Placement
    from fleet_stack.run.assembly import Stack

# What our programs may need from the shell that called `up`; everything else stays outside.
KEPT = (
    "PATH",
    "TZ",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "LD_LIBRARY_PATH",
    "FLEET_GAME_EXECUTABLES",
)
PEER_LISTEN = "127.0.0.1:0"  # any free port: agents tell each other through the database
MODEL_NICENESS = "5"
REMOVED = 77  # exit code of an agent whose node was removed; see fleet_orchestrator.node
RETENTION = "30d"  # of Prometheus; the database keeps hours for ever


def render_base_environment(root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """
    Return the environment of supervisord, which all programs inherit, with the mark of the home.
    """
    kept = {name: environ[name] for name in KEPT if environ.get(name)}
    fixed = {
        "HOME": str(root),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    return {"PATH": os.defpath, **kept, **fixed, "FLEET_HOME": str(root), MARK: str(root)}


def command(*arguments: str) -> tuple[str, ...]:
    """Return the command for a module of ours; -P keeps the current folder off the path."""
    return (sys.executable, "-P", "-m", *arguments)


def plan(stack: Stack, checksums: Mapping[str, str]) -> list[Service]:
    """
    Return the services to run.

    A changed checksum, of rendered files or code, makes supervisor restart its service.
    """
    makers = {
        "postgres": lambda whole: postgres(whole.base.placement),
        "llm": llm,
        "mail": mail,
        "control-api": control_api,
        "exporter": exporter,
        "node": node,
        "twin": twin,
        "master": master,
        "prometheus": prometheus,
        "alertmanager": alertmanager,
        "sms-bridge": sms_bridge,
        "grafana": grafana.service,
    }
    services = [
        make(stack) for name, make in makers.items() if stack.decision.parts[name].state == MANAGED
    ]
    return [_complete(stack, service, checksums.get(service.name)) for service in services]


def _complete(stack: Stack, service: Service, checksum: str | None) -> Service:
    """Add the environment that does not depend on the kind of service."""
    added = {}
    if checksum is not None:
        added["FLEET_CHECKSUM"] = checksum
    if service.command[0] == sys.executable and service.user != user():
        # It cannot write beside its modules, and compiling them at each start takes seconds. Not
        # for ourselves: what another user can write we must not run.
        added["PYTHONPYCACHEPREFIX"] = str(stack.base.home.path("pycache"))
    return replace(service, environment={**service.environment, **added})


def user() -> str:
    """Return the user that supervisord itself runs as: the one who calls `up`."""
    return load_current().name


def postgres(place: Placement) -> Service:
    """PostgreSQL; SIGINT is its fast shutdown: clients are disconnected, nothing is lost."""
    programs = (str(place.postgres_bin / "postgres"), "-D", str(place.data))
    return Service("postgres", programs, place.postgres.name, stop_signal="INT", stop_seconds=30)


def llm(stack: Stack) -> Service:
    """The local model server, at low priority: desktop and small programs come first."""
    arguments = (str(stack.model.path), str(stack.base.ports["llm"]))
    modest = ("nice", "-n", MODEL_NICENESS, *command("fleet_stack.servers.llm", *arguments))
    return Service("llm", modest, stack.user)


def mail(stack: Stack) -> Service:
    """The mail catcher, which stores each mail as a file."""
    arguments = (str(stack.base.ports["mail"]), str(stack.base.home.path("mail")))
    return Service("mail", command("fleet_stack.servers.mail", *arguments), stack.user)


def _fleet(
    stack: Stack, name: str, role: str, environment: Mapping[str, str], *, is_group: bool = False
) -> Service:
    secrets = {"FLEET_DATABASE_URL_FILE": str(stack.base.secrets.path(f"{role}.dsn"))}
    return Service(
        name,
        command("fleet_stack", name),
        stack.user,
        {**secrets, **environment},
        is_group=is_group,
    )


def exporter(stack: Stack) -> Service:
    """The exporter of this node."""
    scrape = stack.base.secrets.scrape
    token = {"FLEET_SCRAPE_TOKEN_FILE": str(scrape.path("token"))} if scrape.has("token") else {}
    return _fleet(
        stack,
        "exporter",
        "node",
        {
            "FLEET_LISTEN": stack.address("exporter"),
            "FLEET_NODE": stack.decision.node,
            "FLEET_RUNTIME_DIR": str(stack.node_runtime),
            "FLEET_MODEL_PATH": str(stack.model.path or ""),
            **token,
        },
    )


def node(stack: Stack) -> Service:
    """The agent, whose child is the worker."""
    service = _fleet(
        stack,
        "node",
        "node",
        {
            "FLEET_NODE": stack.decision.node,
            "FLEET_RUNTIME_DIR": str(stack.node_runtime),
            **_model_address(stack),
            "FLEET_LLM_MODEL": stack.model.name,
            "FLEET_EVENTS_FILE": str(stack.base.home.path("spool", "events.json")),
            "FLEET_SUPERVISOR_LOG": str(stack.base.home.path("logs", "supervisord.log")),
            "FLEET_PEER_LISTEN": stack.base.environ.get("FLEET_PEER_LISTEN", PEER_LISTEN),
            "FLEET_PEER_ADDRESS": stack.base.environ.get("FLEET_PEER_ADDRESS", ""),
        },
        is_group=True,
    )
    return replace(service, final_exit_code=REMOVED)


def twin(stack: Stack) -> Service:
    """All simulated nodes; with the owner's login, which takes on those of the nodes."""
    return Service(
        "twin",
        command("fleet_twin"),
        stack.user,
        {
            "FLEET_DATABASE_URL_FILE": str(stack.base.secrets.path("owner.dsn")),
            "FLEET_LISTEN": stack.address("exporter"),
            "FLEET_LLM_LISTEN": stack.address("llm"),
            "FLEET_RUNTIME_DIR": str(stack.node_runtime),
            "FLEET_TWIN_NODES": str(stack.base.twin_nodes),
            "FLEET_SUPERVISOR_LOG": str(stack.base.home.path("logs", "supervisord.log")),
        },
    )


def _model_address(stack: Stack) -> dict[str, str]:
    """Return the model server's address; one with a login as a file, like any secret."""
    url = stack.model.url or f"{stack.url('llm')}/v1"
    if not addresses.has_login(url):
        return {"FLEET_LLM_URL": url}
    file = stack.base.secrets.path(settings.LLM_SECRET)
    return {
        "FLEET_LLM_URL_FILE": str(file),
        "FLEET_LLM_URL_TIME": stack.base.secrets.stamp(settings.LLM_SECRET),
    }


def master(stack: Stack) -> Service:
    """The master; alone on one machine it is always the leader."""
    return _fleet(
        stack,
        "master",
        "master",
        {"FLEET_LISTEN": stack.address("master"), **_part_address(stack, "prometheus")},
    )


def _part_address(stack: Stack, name: str) -> dict[str, str]:
    """Return where a part answers, empty when it is absent; one with a login as a file."""
    variable = f"FLEET_{name.upper()}_URL"
    if addresses.has_login(stack.base.externals.get(name, "")):
        return {f"{variable}_FILE": str(stack.base.secrets.path(f"external_{name}_url"))}
    return {variable: stack.url(name)}


def control_api(stack: Stack) -> Service:
    """The control API, for people and buttons."""
    return _fleet(
        stack,
        "control-api",
        "control",
        {
            "FLEET_LISTEN": stack.address("control-api"),
            "FLEET_JWT_KEY_FILE": str(stack.base.secrets.path("jwt_key")),
            "FLEET_PROXY_SECRET_FILE": str(stack.base.secrets.path("proxy_secret")),
            "FLEET_SCRAPE_TOKEN_FOLDER": str(stack.base.secrets.scrape.folder),
            "FLEET_GRAFANA_URL": stack.url("grafana"),
            **_part_address(stack, "alertmanager"),
            "FLEET_PUBLIC_GRAFANA_URL": stack.decision.grafana_public_url,
            "FLEET_PUBLIC_URL": stack.decision.public_url,
            "FLEET_RUNBOOKS_DIR": str(CHECKOUT / "prometheus" / "runbooks"),
            **_certificate(stack),
        },
    )


def _certificate(stack: Stack) -> dict[str, str]:
    """Return the files of the control API's certificate and key, if it has them."""
    if stack.base.trust is None:
        return {}
    secrets = stack.base.secrets
    return {
        "FLEET_CONTROL_TLS_CERTIFICATE": str(secrets.path(tls.CERTIFICATE_COPY)),
        "FLEET_CONTROL_TLS_KEY": str(secrets.path(tls.KEY_COPY)),
    }


def prometheus(stack: Stack) -> Service:
    """Prometheus with the flags that 2.42 and 3 both know."""
    data = stack.base.home.path("prometheus", "data")
    return _monitor(
        stack,
        "prometheus",
        f"--storage.tsdb.path={data}",
        f"--storage.tsdb.retention.time={RETENTION}",
    )


def alertmanager(stack: Stack) -> Service:
    """Alertmanager; alone, so without the port that its cluster would open."""
    data = stack.base.home.path("alertmanager", "data")
    own = (f"--storage.path={data}", "--cluster.listen-address=")
    service = _monitor(stack, "alertmanager", *own)
    given = stack.base.environ
    environment = {}
    if given.get("FLEET_TIME_ZONE"):
        environment["TZ"] = given["FLEET_TIME_ZONE"]  # of the local times in mails
    if given.get("FLEET_SNS_CREDENTIALS_FILE"):
        file = COPIED_FILES["FLEET_SNS_CREDENTIALS_FILE"]
        environment["AWS_SHARED_CREDENTIALS_FILE"] = str(stack.base.secrets.path(file))
    return replace(service, environment=environment)


def sms_bridge(stack: Stack) -> Service:
    """The SMS bridge; a changed file of its provider restarts it."""
    secrets, file = stack.base.secrets, COPIED_FILES["FLEET_SMS_FILE"]
    environment = {
        "FLEET_LISTEN": stack.address("sms-bridge"),
        "FLEET_SMS_FILE": str(secrets.path(file)),
        "FLEET_SMS_FILE_TIME": secrets.stamp(file),
        "FLEET_SMS_SPOOL": str(stack.base.home.path("sms")),
        "FLEET_SMS_TOKEN_FILE": str(secrets.path("sms_token")),
    }
    return _fleet(stack, "sms-bridge", "sms", environment)


def _monitor(stack: Stack, name: str, *own: str) -> Service:
    """One of the two programs of the Prometheus project: the flags of both, and its own."""
    program = stack.programs[name]
    arguments = (
        str(program.path),
        f"--config.file={stack.base.home.path(name, f'{name}.yml')}",
        f"--web.listen-address={stack.address(name)}",
        f"--web.external-url={stack.public_address(name)}",
        *own,
        *program.extra,
    )
    return Service(name, arguments, stack.user)
