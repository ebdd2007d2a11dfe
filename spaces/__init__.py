"""Layers, options, spaces, budgets and costs; no weights, no database, no Ray."""
