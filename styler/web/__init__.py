"""A page on this machine: a second listener to the events of jobs, beside the terminal."""
