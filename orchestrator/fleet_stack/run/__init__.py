"""Run the parts: services under a supervisor, their configuration, their health."""
