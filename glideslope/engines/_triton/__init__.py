"""Triton engine: from a straight line to one launch over all tensors on a GPU."""
