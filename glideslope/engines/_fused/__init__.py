"""Fused engine: from a straight line to one compiled loop over all tensors on the CPU."""
