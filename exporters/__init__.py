"""Writes a configuration as files that other tools load."""
