"""Networks as plain tensors and functions; no files, no printing."""
