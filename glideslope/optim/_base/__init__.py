"""The base of every optimizer: groups, state, the plan of a step, and how it is run."""
