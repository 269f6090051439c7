"""The network between nodes: each agent listens for its peers and calls those it is told to."""
