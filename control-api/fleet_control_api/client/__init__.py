"""`fleet <noun> <verb>`: the control API from the command line."""

from fleet_control_api.client.cli import main, make_parser
from fleet_control_api.client.place import Place
from fleet_control_api.client.shells import complete_line

__all__ = ["Place", "complete_line", "main", "make_parser"]
