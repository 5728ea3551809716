"""Methods of the field, from tensors to tensors in steps; no files, no printing."""
