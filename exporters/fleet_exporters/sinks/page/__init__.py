"""GET /metrics: the page is rendered when readings come, and served as it is."""
