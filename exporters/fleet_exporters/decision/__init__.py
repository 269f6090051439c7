"""What is decided about owner and heat: mode, throttle factor, and why. Pure but for its clock."""
