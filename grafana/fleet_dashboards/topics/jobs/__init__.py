"""Panels about orders for conversations."""
