"""Tensor engine: from a straight line to operations of torch, on any device and dtype."""
