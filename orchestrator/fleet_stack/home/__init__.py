"""
The home of a fleet (FLEET_HOME): its folder and files, users, ports, secrets and settings.

The lowest room: it starts nothing and fetches nothing.
"""

from fleet_stack.home import addresses, homes, placement, ports, runtime, settings, stack
from fleet_stack.home.account import Account, load_current
from fleet_stack.home.errors import CheckError, HomeError, StackError, StartError
from fleet_stack.home.files import make_folder, read_tail, store_text
from fleet_stack.home.homes import CHECKOUT, Home
from fleet_stack.home.placement import Placement
from fleet_stack.home.secrets import USERS, Secrets
from fleet_stack.home.stack import ABSENT, EXTERNAL, MANAGED, NAMES, Decision, Part

__all__ = (
    "ABSENT", "CHECKOUT", "EXTERNAL", "MANAGED", "NAMES", "USERS", "Account", "CheckError",
    "Decision", "Home", "HomeError", "Part", "Placement", "Secrets", "StackError", "StartError",
    "addresses", "homes", "load_current", "make_folder", "placement", "ports", "read_tail",
    "runtime", "settings", "stack", "store_text",
)  # fmt: skip
