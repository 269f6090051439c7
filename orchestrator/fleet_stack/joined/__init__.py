"""
A home that is a node only: exporter, agent, worker and model server of a fleet that runs elsewhere.

It joins once, with a code; `up`, `down`, `status`, `logs` and `env` work as in any home.
"""

from fleet_stack.joined.node import start_node

__all__ = ("start_node",)
