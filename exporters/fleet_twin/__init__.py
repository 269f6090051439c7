"""The twin: simulated machines under the real loops of exporter, node agent and worker."""
