"""One simulated machine: its kind, its heat, its owner, and what its sensors would say."""
