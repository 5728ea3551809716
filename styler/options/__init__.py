"""Options of the commands: the standard library only."""
