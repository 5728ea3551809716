"""The commands: one short function each, which imports what it runs, so that --help stays quick."""
