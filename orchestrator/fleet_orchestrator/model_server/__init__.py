"""One call to a model server, in whatever shape it answers; what it can, and whether it works."""
