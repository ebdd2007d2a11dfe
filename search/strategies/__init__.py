"""Strategies: each proposes configurations and learns from their evaluations."""
