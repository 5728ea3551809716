"""Trained networks and feature networks on disk."""
