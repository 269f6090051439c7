"""The past of a twin: weeks of readings and conversations, written at once into every level."""
