"""Strategies, solvers, fronts, and the engine that runs a job on Ray."""
