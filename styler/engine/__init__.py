"""Optimization loops and solvers: of an image, and of a network."""
