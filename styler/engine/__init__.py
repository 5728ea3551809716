"""Optimization loops and solvers."""
