"""Builders of the Grafana dashboards, and nothing that runs beside Grafana."""
