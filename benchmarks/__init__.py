"""Benchmarks that anyone can rerun with make bench."""
