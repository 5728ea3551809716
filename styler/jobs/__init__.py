"""From files to files: open, plan, run a task, save what it made. Generators of events."""
