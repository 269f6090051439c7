"""What a caller may do, and how often."""
