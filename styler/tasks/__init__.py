"""Recipes: tensors in, events and tensors out; no files, no printing."""
