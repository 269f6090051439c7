"""Render the configuration of third-party programs from templates of the checkout into the home."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, StrictUndefined, TemplateError

from fleet_stack.home import CHECKOUT, MANAGED, StackError, addresses, make_folder, store_text
from fleet_stack.paging import (
    COPIED_FILES,
    Smtp,
    decide_sender,
    find_recipients,
    find_server,
    split_quiet_hours,
)
from fleet_stack.parts import tls
from fleet_stack.run import grafana

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home import Account, Home
    from fleet_stack.run.assembly import Stack

CATCHER_FROM, CATCHER_TO = "fleet@localhost", "operator@localhost"


def render_template(path: Path, values: Mapping[str, object]) -> str:
    """Return the rendered template. Raises StackError when it uses an unknown value."""
    environment = Environment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - what is rendered is YAML
    )
    try:
        return environment.from_string(path.read_text()).render(values)
    except TemplateError as exc:
        raise StackError(f"{path} cannot be rendered: {exc}; correct the template") from exc


def collect_values(stack: Stack) -> dict[str, object]:
    """Return the values that templates may use."""
    is_llm_ours = stack.decision.parts["llm"].state == MANAGED
    return {
        "rules_dir": str(CHECKOUT / "prometheus" / "rules"),
        "sd_url": f"{stack.url('control-api')}/sd/nodes",
        "sd_token_file": str(stack.base.secrets.path("sd_token")),
        "scrape_token_file": str(stack.base.secrets.scrape.path("token")),
        "metrics_token_file": str(stack.base.secrets.path("metrics_token")),
        "webhook_url": f"{stack.url('control-api')}/alerts/webhook",
        "webhook_token_file": str(stack.base.secrets.path("webhook_token")),
        "control_address": stack.address("control-api"),
        "control_tls": render_tls(stack),
        "control_ca_file": stack.decision.control_ca_file,
        "control_server_name": stack.decision.control_server_name,
        "master_address": stack.address("master"),
        "llm_address": stack.address("llm") if is_llm_ours else "",
        "alertmanager_address": addresses.parse_place(stack.url("alertmanager")),
        "prometheus_address": addresses.parse_place(stack.url("prometheus")),
        **collect_mail(stack),
        **collect_pagers(stack),
        "templates_dir": str(CHECKOUT / "alertmanager" / "templates"),
        "dashboard_url": stack.decision.grafana_public_url,
        "runbook_url": f"{stack.decision.public_url}/api/v1/runbooks",
        "home_url": stack.decision.public_url,
        "prometheus_url": stack.url("prometheus"),
        "postgres_address": addresses.parse_place(stack.url("postgres")),
        "postgres_database": stack.url("postgres").rpartition("/")[2].partition("?")[0],
        "postgres_sslmode": decide_sslmode(stack.base.secrets.read("owner.dsn")),
        "postgres_password_file": str(stack.base.secrets.path("grafana_password")),
        "control_url": f"{stack.url('control-api')}/buttons",
        "proxy_secret_file": str(stack.base.secrets.path("proxy_secret")),
        "dashboards_dir": str(grafana.DASHBOARDS),
    }


def render_tls(stack: Stack) -> str:
    """Return the tls_config of Prometheus and Alertmanager for the control API; empty for HTTP."""
    if stack.base.trust is None:
        return ""
    told = {
        "ca_file": stack.base.trust.ca_file,
        "server_name": stack.base.trust.server_name,
    }
    return json.dumps({name: value for name, value in told.items() if value})


def collect_mail(stack: Stack) -> dict[str, object]:
    """Return the mail server and who gets mails; without settings our own catcher, and nobody."""
    given = stack.base.environ
    server = find_server(given) or Smtp("127.0.0.1", stack.base.ports["mail"])
    everybody, critical = find_recipients(given)
    return {
        "smtp_address": server.address,
        "smtp_needs_starttls": server.needs_starttls,
        "smtp_user": server.user,
        "smtp_password_file": _secret(stack, "FLEET_SMTP_PASSWORD_FILE"),
        "smtp_ca_file": _secret(stack, "FLEET_SMTP_CA_FILE"),
        "mail_from": decide_sender(given, server) or CATCHER_FROM,
        "mail_to": everybody or CATCHER_TO,
        "mail_to_critical": critical or CATCHER_TO,
    }


def collect_pagers(stack: Stack) -> dict[str, object]:
    """Return the other ways to people, and when they are left alone."""
    given, bridge = stack.base.environ, stack.url("sms-bridge")
    return {
        "quiet_hours": split_quiet_hours(given.get("FLEET_QUIET_HOURS", "")),
        "time_zone": given.get("FLEET_TIME_ZONE", ""),
        "heartbeat_url": given.get("FLEET_HEARTBEAT_URL", ""),
        "sns_topic": given.get("FLEET_SNS_TOPIC_ARN", ""),
        "sns_url": given.get("FLEET_SNS_URL", ""),
        "sms_url": f"{bridge}/alerts" if bridge else "",
        "sms_address": addresses.parse_place(bridge),
        "sms_token_file": str(stack.base.secrets.path("sms_token")),
    }


def _secret(stack: Stack, variable: str) -> str:
    """Return where the home keeps the copy of a file that a setting names; empty without one."""
    if not stack.base.environ.get(variable):
        return ""
    return str(stack.base.secrets.path(COPIED_FILES[variable]))


def decide_sslmode(url: str) -> str:
    """
    Return Grafana's sslmode for the database of this address; Grafana has no `prefer`.

    Without sslmode in the address: no TLS, as for the embedded server on loopback.
    """
    mode = dict(parse_qsl(urlsplit(url).query)).get("sslmode", "")
    return mode if mode in {"require", "verify-ca", "verify-full"} else "disable"


def find_templates(name: str) -> dict[str, Path]:
    """Return the templates of a program, by their target below the program's folder in the home."""
    if name == "grafana":
        root = CHECKOUT / "grafana"
        return {
            str(path.relative_to(root)).removesuffix(".j2"): path
            for path in root.glob("provisioning/*/*.j2")
        }
    return {f"{name}.yml": CHECKOUT / name / f"{name}.yml.j2"}


def store_all(stack: Stack) -> dict[str, str]:
    """Write the configuration of each third-party program; return a checksum by program."""
    values = collect_values(stack)
    checksums = {}
    for name in ("prometheus", "alertmanager", "grafana"):
        owner = stack.base.placement.programs
        make_folders(stack.base.home, name, owner)
        content = ""
        for target, template in sorted(find_templates(name).items()):
            text = render_template(template, values)
            store_text(stack.base.home.path(name, target), text, mode=0o600, owner=owner)
            content += text
        if name == "grafana" and values["control_ca_file"]:
            content += stack.base.secrets.read(tls.AUTHORITY_COPY)  # it reads it at its start
        checksums[name] = hashlib.sha256(content.encode()).hexdigest()[:12]
    return checksums


def make_folders(home: Home, name: str, owner: Account) -> None:
    """
    Make a program's folders; `owner`, who runs it, gets only those that it writes to.

    We own the others: where root writes a file, nobody else may place a link.
    """
    make_folder(home.path(name))
    for folder in grafana.READ if name == "grafana" else ():
        for parent in (*reversed(Path(folder).parents[:-1]), folder):
            make_folder(home.path(name, str(parent)))
    for folder in grafana.WRITTEN if name == "grafana" else ("data",):
        make_folder(home.path(name, folder), mode=0o700, owner=owner)
