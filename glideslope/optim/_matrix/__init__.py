"""Optimizers of matrices: a direction made of a whole matrix, and a rule that steps along it."""
