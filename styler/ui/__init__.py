"""The terminal: commands, flags, console, exit codes; the only printing."""
