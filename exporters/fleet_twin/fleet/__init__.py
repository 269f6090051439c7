"""All simulated machines in one process, each with its own exporter, node agent and worker."""
