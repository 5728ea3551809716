"""Distillation of a narrow VGG from a whole one: the tool that made styler's built-in network."""
