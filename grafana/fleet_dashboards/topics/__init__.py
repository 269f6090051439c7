"""Panels by theme, one function a panel, for every dashboard that shows them."""
