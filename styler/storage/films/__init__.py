"""Videos and animations."""
