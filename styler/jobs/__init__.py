"""From files to files: open, plan, run a task, save. Generators of events."""
