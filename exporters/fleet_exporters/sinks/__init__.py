"""Where readings go: the scrape page, the database, the worker."""
