"""What `fleet doctor` finds out about a machine, and how it says so."""
