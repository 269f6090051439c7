"""How it is written down: the audit log, and its rate limit."""
