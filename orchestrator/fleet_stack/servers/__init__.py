"""Servers of ours that supervisor runs with `python -m`; they import no other room."""
