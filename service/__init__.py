"""The command line: job files, live progress, reports."""
