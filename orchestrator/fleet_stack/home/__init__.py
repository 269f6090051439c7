"""Where a fleet is and who may: its folder, users, ports, secrets and settings."""
