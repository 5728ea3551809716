"""Networks that enlarge pictures: at work, and in training."""
