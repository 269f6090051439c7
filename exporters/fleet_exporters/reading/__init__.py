"""What is read: every sensor family at its period, in the background where it may hang."""
