"""One pass of a trained network over pictures and videos, from files to files."""
