"""The configuration of supervisord."""

from __future__ import annotations

import configparser
from dataclasses import replace
from pathlib import Path

import pytest
from fleet_orchestrator import node
from fleet_stack.home.errors import StartError
from fleet_stack.run.services import REMOVED
from fleet_stack.run.supervisor import Places, Service, escape, render
from supervisor.datatypes import dict_of_key_value_pairs
from supervisor.options import ServerOptions

PLACES = Places(
    Path("/srv/my fleet/supervisor"), Path("/srv/my fleet/logs"), Path("/run/fleet/s.sock")
)
NODE = Service(
    "node",
    ("/usr/bin/python3", "-m", "fleet_stack", "node", "100%"),
    "fleet",
    {"FLEET_NODE": "alpha", "FLEET_LLM_URL": "http://127.0.0.1:1/v1?a=%20,b"},
    is_group=True,
)
POSTGRES = Service(
    "postgres", ("/pg/postgres", "-D", "/srv/my data"), "fleet", stop_signal="INT", stop_seconds=30
)
GOLDEN = """
[program:postgres]
command=/pg/postgres -D '/srv/my data'
directory=/
environment=
user=fleet
priority=1
autostart=true
autorestart=true
startsecs=1
startretries=1000000
stopsignal=INT
stopwaitsecs=30
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile=/srv/my fleet/logs/postgres.log
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=3
"""


def parse(text):
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(text)
    return parser


def test_program_section_is_as_agreed():
    """Fast shutdown, endless restarts, rotated logs: the whole section, letter by letter."""
    assert render([POSTGRES], PLACES, "root").endswith(GOLDEN)


def test_socket_is_for_its_owner_alone():
    """Who can write to the socket can run programs."""
    http = parse(render([], PLACES, "root"))["unix_http_server"]

    assert dict(http) == {"file": "/run/fleet/s.sock", "chmod": "0700"}


def test_environment_survives_supervisors_own_parser():
    """Commas, equal signs and percent signs arrive as they were."""
    section = parse(render([NODE], PLACES, "root"))["program:node"]
    parsed = dict_of_key_value_pairs(section["environment"].replace("%%", "%"))

    assert dict(NODE.environment) == parsed


def test_supervisor_itself_accepts_the_file(tmp_path):
    """Its option parser reads what we render, also with spaces and percent signs in paths."""
    logs = tmp_path / "the logs"
    logs.mkdir()
    places = Places(tmp_path, logs, tmp_path / "s.sock")
    service = Service("mail", ("/bin/echo", "50% off"), "root", {"A": "50%"})
    places.configuration.write_text(render([service], places, "root"))
    options = ServerOptions()
    options.here = str(tmp_path)
    section = options.read_config(str(places.configuration))

    program = section.process_group_configs[0].process_configs[0]
    assert program.command == "/bin/echo '50% off'"
    assert program.environment == {"A": "50%"}
    assert section.nodaemon


@pytest.mark.parametrize("bad", ['a"b', "a\nb", "a;b"])
def test_what_cannot_be_written_is_refused(bad):
    """Supervisor has no quoting for these: better an error than another command."""
    with pytest.raises(StartError, match="plainer"):
        escape(bad)


def test_agent_stops_with_its_worker():
    """The agent's group is asked to end; PostgreSQL ends its children itself."""
    text = parse(render([POSTGRES, NODE], PLACES, "root"))

    assert text["program:node"]["stopasgroup"] == "true"
    assert text["program:postgres"]["stopasgroup"] == "false"
    assert (text["program:postgres"]["priority"], text["program:node"]["priority"]) == ("1", "2")


def test_agent_that_has_ended_for_good_is_not_started_again():
    """Any other end, also a quiet one, is followed by another start."""
    section = parse(render([replace(NODE, final_exit_code=REMOVED)], PLACES, "root"))[
        "program:node"
    ]

    assert (section["autorestart"], section["exitcodes"]) == ("unexpected", "77")
    assert REMOVED == node.REMOVED
