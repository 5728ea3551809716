"""Trained networks as ONNX graphs, written without other packages."""
