"""Rows for PostgreSQL: stored at once, or kept in the spool while the database is away."""
