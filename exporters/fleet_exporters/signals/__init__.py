"""Signals of the owner's activity: one source, one file, one line in sources.py."""
