"""Panels about the whole fleet."""
