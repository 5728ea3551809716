"""Pictures of what a network sees, from files to files."""
