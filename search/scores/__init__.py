"""Scores: each predicts, for every unit and option of a space, what the option costs in quality."""
