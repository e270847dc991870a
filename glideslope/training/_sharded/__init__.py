"""Checkpoints that several ranks write together: a folder with one file of each.

Terms:

- the **outline** of a state is the state with each tensor replaced by a number;
- the **key** of a tensor names it on all ranks: two ranks that have the same tensor have one key;
- a **part** is a box of a tensor that one rank writes: its shard, or the whole of a plain tensor.

Each file holds the outline of its rank's state, the keys of its tensors, and the parts that it
wrote. Each is sealed as the file of one process is.
"""
