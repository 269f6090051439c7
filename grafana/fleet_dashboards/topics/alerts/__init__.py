"""Panels about alerts."""
