"""Python for people: pictures in, pictures out, by the jobs that the commands run."""
