"""Pixels in, pixels out: color, size, edges, inputs made of photos."""
