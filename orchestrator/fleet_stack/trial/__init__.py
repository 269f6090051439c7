"""`fleet alerts test`: alerts on the real way to people, and what became of them."""
