"""Panels about what was written."""
