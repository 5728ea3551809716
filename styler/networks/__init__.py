"""Weights and layers of networks; no files."""
