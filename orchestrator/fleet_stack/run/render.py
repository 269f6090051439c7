"""Render the configuration of third-party programs from templates of the checkout into the home."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, StrictUndefined, TemplateError

from fleet_stack.home import CHECKOUT, MANAGED, StackError, addresses, make_folder, store_text
from fleet_stack.run import grafana

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_stack.home import Account, Home
    from fleet_stack.run.assembly import Stack

MAIL_FROM, MAIL_TO = "fleet@localhost", "operator@localhost"


def render_template(path: Path, values: Mapping[str, str]) -> str:
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


def collect_values(stack: Stack) -> dict[str, str]:
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
        "master_address": stack.address("master"),
        "llm_address": stack.address("llm") if is_llm_ours else "",
        "alertmanager_address": addresses.parse_place(stack.url("alertmanager")),
        "prometheus_address": addresses.parse_place(stack.url("prometheus")),
        "smtp_address": stack.address("mail"),
        "mail_from": MAIL_FROM,
        "mail_to": MAIL_TO,
        "templates_dir": str(CHECKOUT / "alertmanager" / "templates"),
        "dashboard_url": stack.decision.grafana_public_url,
        "runbook_url": f"{stack.decision.public_url}/api/v1/runbooks",
        "prometheus_url": stack.url("prometheus"),
        "postgres_address": addresses.parse_place(stack.url("postgres")),
        "postgres_database": stack.url("postgres").rpartition("/")[2].partition("?")[0],
        "postgres_sslmode": decide_sslmode(stack.base.secrets.read("owner.dsn")),
        "postgres_password_file": str(stack.base.secrets.path("grafana_password")),
        "control_url": f"{stack.url('control-api')}/buttons",
        "proxy_secret_file": str(stack.base.secrets.path("proxy_secret")),
        "dashboards_dir": str(grafana.DASHBOARDS),
    }


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
