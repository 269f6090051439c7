"""The parts of the node agent: its worker, what people want of it, who it is."""
