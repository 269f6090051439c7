"""Panels about one machine."""
