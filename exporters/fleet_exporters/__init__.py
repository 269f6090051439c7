"""Reads the sensors of one machine every 5 s and publishes each reading three ways."""
