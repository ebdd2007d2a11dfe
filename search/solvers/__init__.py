"""Solvers: the options of least total score under a budget."""
