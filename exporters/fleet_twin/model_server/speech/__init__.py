"""Words for the lines of an outline: templated, varied, drawn by a seed."""
