"""Applies a configuration to a live model and measures it on fixed text."""
