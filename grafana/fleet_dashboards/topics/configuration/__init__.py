"""Panels about settings and models."""
