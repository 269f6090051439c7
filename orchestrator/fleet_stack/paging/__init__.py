"""
Whom alerts reach, and how: the settings of mails, text messages, quiet hours and heartbeat.

The lowest room: it checks settings, and asks a mail server what it thinks of them.
"""

from fleet_stack.paging import session
from fleet_stack.paging.errors import PagingError
from fleet_stack.paging.settings import (
    COPIED_FILES,
    INPUTS,
    PARSERS,
    SECRET_URLS,
    check_paging,
    decide_sender,
    find_recipients,
    find_server,
    split_quiet_hours,
)
from fleet_stack.paging.smtp import Smtp

__all__ = (
    "COPIED_FILES", "INPUTS", "PARSERS", "SECRET_URLS", "PagingError", "Smtp", "check_paging",
    "decide_sender", "find_recipients", "find_server", "session", "split_quiet_hours",
)  # fmt: skip
