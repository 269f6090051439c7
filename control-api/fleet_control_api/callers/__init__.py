"""Who calls: people with a login, programs with a token, people behind Grafana."""
