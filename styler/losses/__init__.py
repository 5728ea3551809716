"""Loss functions and image metrics."""
