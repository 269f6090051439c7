"""`fleet <noun> <verb>`: the control API from the command line."""

from fleet_control_api.client.cli import main, make_parser

__all__ = ["main", "make_parser"]
