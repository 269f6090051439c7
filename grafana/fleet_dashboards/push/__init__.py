"""`fleet grafana check|push`: data sources and dashboards in a Grafana of the user's own."""

from fleet_dashboards.push.command import main
from fleet_dashboards.push.wanted import Addresses, Secrets

__all__ = ["Addresses", "Secrets", "main"]
