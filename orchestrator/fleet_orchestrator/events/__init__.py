"""What happens to the programs of this machine, told as events by the node agent."""
