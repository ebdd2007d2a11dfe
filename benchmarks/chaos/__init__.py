"""Chaos: jobs of a real service whose processes, database and connections are killed at random, and what was lost."""
