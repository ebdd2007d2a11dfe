"""One module for each command; imported when the command runs, so that --help is quick."""
