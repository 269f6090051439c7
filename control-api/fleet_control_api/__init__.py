"""
The control API: the only way in for people, programs that act for them, and Grafana's buttons.
"""
