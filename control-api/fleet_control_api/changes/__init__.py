"""What can be changed: commands, each run with its audit row in one transaction."""
