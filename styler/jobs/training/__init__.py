"""Trainings, from files to files."""
