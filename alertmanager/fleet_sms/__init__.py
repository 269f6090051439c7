"""
The SMS bridge: takes alerts from Alertmanager's webhook and sends text messages.

Needs neither the database nor the control API; what was sent is written to the database afterwards.
"""
