"""Options of the commands and their presets, each written once; the standard library only."""
