"""What the whole program stands on: settings, the database, metrics, errors."""
