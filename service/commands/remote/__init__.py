"""What the commands that ask a service do."""
