"""The commands: a short function each, which imports the job that it runs, so that --help stays quick."""
