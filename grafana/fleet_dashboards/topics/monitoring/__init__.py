"""Panels about what watches the fleet."""
