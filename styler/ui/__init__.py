"""The terminal: commands, console, exit codes."""
