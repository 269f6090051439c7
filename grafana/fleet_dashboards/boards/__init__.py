"""The dashboards, one module each: which panels stand where."""
